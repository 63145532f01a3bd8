// Package etcd keeps leases in etcd. [New] returns a Manager that is a [lease.Manager], [lease.Watcher],
// [lease.Reader] and [lease.Limiter]. It takes the caller's client and never dials.
//
// # What is in etcd
//
// Who holds the key "billing" stands under tenure/billing/NUMBER, one line of JSON that is attached to an etcd lease.
// (An etcd lease is a length of time with a number; when it ends, whatever is attached to it is deleted.) The number
// is drawn anew for each acquisition. In names, the key is escaped as in a URL, so that it has no slash. When nobody
// holds the key, nothing is there.
//
//	Acquire  read; grant an etcd lease; if nothing stands under tenure/billing/, put our name there
//	         if we stand there ourselves: delete that name and put a new one, in one transaction
//	Renew    keep the etcd lease alive; read that our name is still there
//	Release  if our name is there, delete it; revoke the etcd lease
//
// A renewal writes nothing to disk. A renewal for another length moves the name to a new etcd lease, and so does one
// that etcd elects a leader of its own in the middle of. A follower that stands in vain makes two reads. All
// elections of a Manager share the connection of its client, and all its watches one watch of the prefix, which
// wakes on acquisitions and releases only.
//
// # The term
//
// It is the revision of etcd in which the holder's name was created. There is one revision for the whole cluster, it
// grows with every write and etcd keeps it through deletions, elections of its own and restarts. So terms rise over
// everything but one event: etcd losing data. A snapshot that is restored takes the revision back, and the terms with
// it, unless it is restored with --bump-revision; so does a cluster that starts empty. A Manager remembers the
// greatest revision that it has seen and then refuses to stand, with an error that is [lease.ErrPermanent]; a process
// that starts afterwards cannot know.
//
// [Manager.IfHeld] is the term as a condition for transactions of your own: what they write is the leader's or is not
// written.
//
// # Why two never hold a key
//
// All conditions are decided inside etcd, in one transaction each, and no name is ever used twice. The holder counts
// from before it asked, etcd from when it granted or prolonged the etcd lease, which is later. Requests that arrive
// late do no harm: an acquisition needs its etcd lease, which was revoked when it was given up; a renewal prolongs the
// etcd lease of its own name only; a renewal for another length depends on the revision of the name, which the next
// renewal changes then.
//
// A keep-alive does not pass through Raft. A leader of etcd that has been deposed answers it from memory, for up to
// two election timeouts when it is cut off, and once more when it wakes after it stood still; its successor knows
// nothing of that and counts from its own election, for the length of the lease and one election timeout. After a
// cut this is enough. After a member stood still for 1.5 s it was not: a lease of 3 s ended up to 0.9 s before its
// last answer promised. So the read that follows must come from the same Raft term, or the renewal is written; it
// always passes through Raft, as all reads here do. The function counts says why this is enough.
//
// An answer that was lost is settled by the name, which nobody else has. An acquisition that was given up with its
// context may have been carried out: the next Acquire of this Manager revokes its etcd lease first, and if there is
// none it ends by itself.
//
// # Lengths
//
// etcd counts in whole seconds. Its servers have a least length, one and a half times their election timeout, rounded
// up: 2 s with the default of 1 s. What is shorter, they raise. That is safe, because the holder counts the length
// that it asked for; but a successor waits for the length that was granted. So it is no error. etcd looks for leases
// that have ended twice a second, so a lease is free up to half a second after its end. When etcd elects a leader of
// its own all leases last for their full length once more: failover is late then, and safe.
//
// # Connections
//
// Every call ends with its context, whatever the connection does. A connection that is dead but has not ended (a
// firewall that forgets, a host that lost power) is given up by the client only if DialKeepAliveTime is set, and gRPC
// asks no more often than every 10 s. With a single endpoint a lease that is shorter than about 30 s may be lost by
// then. A client of several asks them in turn, the dead one among them; so with several, half of the time that is left
// is waited for an answer, and then the next one is asked the same.
//
// With a user name and a password, the client authenticates again for each stream and so for each renewal, which costs
// the server a bcrypt: tens of milliseconds of CPU time. For many elections use client certificates.
//
// # Rejected
//
// A keep-alive without a read after it: see above. Believing a keep-alive for less than its length: how long a
// deposed leader stood still is not known to anybody. The client's KeepAlive: it renews behind our back, and its
// channel does not say when the renewal that an answer belongs to was sent, so nobody could know when to stop. Its
// KeepAliveOnce: it repeats without a pause while the cluster has no leader. Package concurrency of the client: it
// queues contenders, so that one that hangs at the head keeps everybody waiting, and its session ends with the
// keep-alive channel. One name per key that is overwritten: its revision of creation would stay when its holder
// takes it again, and its revision of modification would change with a renewal for another length; neither is the
// term then. A counter of our own beside it: the revision is one already. A lease number from etcd: when the answer
// to the grant is lost nobody knows what to revoke. A watch for each key: two goroutines in the client for each.
package etcd
