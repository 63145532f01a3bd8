// Package kubernetes keeps leases in Lease objects of the API server of Kubernetes, the very objects that the
// electors of client-go compete for and that kubectl shows. A program can be moved from client-go to Tenure one pod
// at a time: the old and the new stand for one Lease, and no two of them lead.
//
// # A Lease as a lease
//
// A key names a Lease in the namespace of the [Client], see [LeaseName]. The API server replaces an object only if it
// still has the resourceVersion that the writer has seen, and has no notion of a lease that runs out. So this is the
// algorithm of package register: a contender takes over when it has seen the very same record for the whole length
// that the record names, on its own steady clock, and the takeover is conditional on that record. Its decisions are
// made by [register.Call]; what a Lease means to them, and what is written into it, is decided in decide.go, which is
// as pure.
//
// The spec is what client-go writes: holderIdentity is NAME_INCARNATION, which is unlike that of any other process,
// leaseDurationSeconds is the TTL rounded up, and all five fields are written at once. What client-go has no field
// for (the term, the name and its incarnation, the metadata, the nonce by which a writer knows its own write) is in
// one annotation, which describes the spec that it was written with: it names the leaseTransitions and the holder,
// and client-go changes one of them whenever it takes over.
//
// # Beside client-go
//
// What keeps the two kinds apart, each rule with the mistake that it excludes:
//
//   - client-go takes a record for unchanged if it differs by less than the seconds of renewTime. So a renewal moves
//     renewTime to another second, if need be ahead of the clock. Otherwise two renewals within one second would
//     count as one, from the first of them.
//   - client-go's leader may act longer than its lease, because it counts a renewal from the answer. The answer may
//     be to a second write of the same record: the first one was carried out, its answer was lost, and up to a renew
//     deadline later the same bytes are written again and change nothing that others could see. So a holder of
//     client-go is left alone for its own leaseDurationSeconds and [Config.Guard]. Ours stops before its lease ends,
//     and is left alone for just that.
//   - The first sight of a record is what counts, not its renewTime: no clocks of two hosts are compared. A label
//     that somebody puts on the object meanwhile is no new record.
//   - An empty holder is free at once, and release writes one, with a duration of 1, as client-go does. But an empty
//     holder beside an annotation that names one is no release: client-go's elector, told to stop after it was frozen
//     for longer than its lease, empties the record of whoever has it then. Such a record is left alone until the
//     lease that it held has ended.
//   - A Lease with a strategy belongs to coordinated leader election, where the API server's own controller picks the
//     holder, and is refused.
//   - The object is never deleted.
//
// # Terms
//
// The next term is the resourceVersion that the acquisition replaces. These count the changes of the whole cluster,
// so the term is greater than all before it, whoever held the Lease and though it was deleted and made anew; no clock
// takes part. For this a Lease that does not exist is created without a holder first. A term is also greater than
// that in the annotation, in case that the cluster was restored from a backup and counts from less; only if the Lease
// was lost with that, or is older in the backup, do terms repeat. A holder of another kind has no term; observers are
// shown one that is greater than those before it, which is not a fencing token.
//
// # What remains
//
// Deleting the Lease of a live holder frees it at once, for client-go and for us: the holder learns of it from its
// watch, or when it renews next. Until then two may lead; their terms order them. An elector of client-go takes a
// record at once that another one has emptied by mistake; nothing in the record can keep it from that. And one whose
// client has no timeout may be told that it has acquired the lease long after that has ended, and then leads for up
// to its renew deadline; no guard is long enough for that.
//
// # Rejected
//
// leaseTransitions as the term: it begins again when the object is deleted, and other electors do not all count it.
// Microseconds of the wall clock as the term: they need clocks that agree better than the time between two leaders.
// The resourceVersion of the acquiring write as the term: it is known only after the write, so the record could not
// name it. Patch instead of Update: it is not conditional unless one remembers to make it so. A dependency on
// client-go: it brings some forty modules, of which four methods are used. A watch on the whole namespace: it needs
// more rights than the Leases that are elected on.
package kubernetes
