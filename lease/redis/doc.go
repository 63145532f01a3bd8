// Package redis keeps leases in Redis or Valkey, through the caller's go-redis client.
//
// Each key is one hash, which one script reads and writes in one step: who holds the lease, under which term, until
// when on the clock of the server. The hash has no expiry of its own. A lease that has run out is a record whose time
// has passed, a lease that was released is a record without a holder, and both keep the term. So no policy of eviction
// that picks keys with an expiry ends a lease, and nothing is lost when one ends. (allkeys policies evict anything: do
// not use them.) The time left is never more than the lease's whole length, so that a clock that is set back keeps a
// lease from others for one length more and not for hours; one that is set forward ends leases early, so slew it.
//
// # Terms
//
// A term is the greater of the last one plus one and the server's clock in microseconds. It goes on rising when the
// record is deleted by hand, or the server comes back without its data: it could go back only if the record was lost
// and the clock was set back, too, behind the last acquisition. The clock of a replica that takes over without the last
// grant counts as set back if it is behind. Numbers of the script are doubles, exact up to 2^53 - 1 microseconds: until
// the year 2255.
//
// # What a failover can do
//
// Redis answers before its replicas have the write, and by default before the disk has it. So a server that is
// replaced by a replica, or comes back from an older copy, may have forgotten a grant or a renewal that it had
// confirmed, and may grant the lease to another while its holder goes on: until the holder's next renewal, which is
// refused, or the end of its lease, whichever comes first. No client can prevent that. What helps: [Config.Replicas],
// min-replicas-to-write and appendfsync always at the server make it rare; and the term rises even so, as long as the
// servers' clocks agree better than a failover takes, so that a resource that refuses smaller terms is not harmed. If
// two leaders for the length of one lease would be more than a nuisance, and nothing checks terms, use a store that
// does not confirm what it may forget.
//
// # Requests that are repeated
//
// go-redis repeats a request when its answer does not come, and a network may deliver one late. Each Acquire carries
// the name of its Manager and a number that grows. The script remembers those of the last grant: the same number is
// answered with the grant it has led to, and a lesser one is not carried out any more; whoever still waits for it
// asks again. Renew and Release name the term, and do nothing to another.
//
// go-redis does not end a call when its context ends, so each runs in a goroutine of its own, which is left behind then
// and ends with the client's timeouts.
//
// # Watching
//
// Grants and releases are published on one channel, with the key as the message. A Manager that watches has one
// subscription for all keys; what it hears makes it read those records, many at once. It reads all of them when the
// connection was made anew, each once in [Config.Poll], and each when its lease ends, which Redis does not tell. A
// connection on which nothing comes is asked for a sign of life. The goroutines live as long as something is watched.
//
// # In a cluster
//
// Everything about a key is in one hash slot: the name of its record is the prefix and the key in braces, such as
// tenure:{billing}. A caller's own data under {billing} is in that slot, too, so that its scripts can compare the
// term in the very step that writes; the Example of [Manager.Record] shows it.
//
// # Rejected
//
// Redlock: it needs clocks of several servers to agree and still gives no term. SET with NX and PX, and a counter
// beside it: two keys that are lost separately, one of which may be evicted before its time. A counter alone: it begins
// again after a restart without persistence. Notifications of expired keys: off by default, and late. A channel for
// each key: a subscription to be kept right for each election, to save messages that are rare. redis.Ring: it moves a
// key to another server when its own does not answer, which then grants the lease anew.
package redis
