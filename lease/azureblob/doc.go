// Package azureblob keeps leases in Azure Blob Storage, through the caller's own container client. [New] returns a
// Manager that is a [lease.Manager], [lease.Reader] and [lease.Limiter]. The container and the blobs are made when
// they are missing; one small blob for each key, named Config.Prefix and the key.
//
// There are two ways, and all who stand for a key must use the same. A blob tells which one it is for, and the other
// refuses it.
//
// # Native leases (the zero Mode)
//
// The service itself leases the blob, for 15 to 60 seconds and in whole seconds, and lets the lease run out by its own
// clock. Who holds it, and under which term, stands in the blob's metadata. The id of a lease is derived from key,
// holder and term, so that what was asked for in an older term fits no later one, and so that a request may be
// repeated by the client library or by us. An acquisition takes three steps:
//
//  1. read the metadata: term T, and the ETag, which leases do not change;
//  2. take the lease under the id of T+1, provided that the ETag is the same;
//  3. write T+1 and the holder into the metadata, provided that we have the lease and the ETag is still the same.
//
// Only after the third is there a grant. Whoever dies between the second and the third leaves a lease that nobody has
// been told of, and that ends by itself; the next one reads T again, and the term T+1 was never used. Whoever is held
// up there until the lease has gone to another fails at the third step, because the id is another. If the same holder
// comes again, its second step repeats the first one's. A holder that takes its own lease again changes the id in one
// step, so that nobody else comes between.
//
// A renewal is one request. The service renews for the length of the acquisition; another length takes four requests.
// A release first takes the holder out of the metadata and then gives the lease up. Between the steps of an
// acquisition the metadata may name a holder whose lease has run out, for as long as they take. A lease that has run
// out is renewed if nobody has taken it meanwhile: its term is still the last.
//
// An administrator evicts a leader with "az storage blob lease break", or in the portal: from then on the leader's
// renewals are refused, so its tenure ends with the next one, and others wait until the lease would have ended. With
// a break period of zero they do not wait, and the old leader may work beside the new one until its next renewal.
//
// # Compare and swap
//
// For shorter leases, from one second, the record is the content of the blob, replaced on condition of its ETag by
// package register. No clock of the service takes part: a lease is taken over after its record was seen unchanged for
// its TTL and 1 %.
//
// # Terms
//
// The next term is one more than that in the blob. A blob that is made new begins with the microseconds since 1970 on
// the clock of whoever makes it, and compare and swap never grants less than that, so that terms rise though a blob
// was deleted, unless clocks are apart by more than the time between. Versioned and soft-deleted blobs do no harm.
//
// # Rejected
//
// An infinite lease that is broken by whoever finds it old: it needs a clock in the metadata, and two hosts' clocks
// compared. The id of a lease drawn at random: a process would not know its own lease after its answer was lost, and
// Renew would need a memory. One id for a whole process: a delayed renewal of an old term would renew the next.
// Leasing the container: it is one lease only, and the metadata of a container are not written under it. Metadata
// written before the lease is taken: whoever does not get the lease would have used up a term and named itself.
package azureblob
