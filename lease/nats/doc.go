// Package nats keeps leases in a bucket of NATS JetStream. [New] returns a Manager that is a [lease.Manager],
// [lease.Watcher], [lease.Reader] and [lease.Limiter]. It takes the caller's JetStream and never connects. It needs
// servers of version 2.11 or later.
//
// # What is in the bucket
//
// A bucket is a stream that keeps the last message of each subject. Each key has a subject, $KV.BUCKET.KEY, in which
// all bytes but letters, digits, '-', '_' and '/' are written =XX. Its last message is the lease as JSON, with a time
// to live: when that is over, the server deletes the message and leaves a marker. A message is written only if the
// last one of the subject is still the one that the writer has seen, which the server decides when it stores it.
//
//	Acquire  read; if nobody is there, look how the bucket is set up, write after what was read
//	Renew    write again, after our own last message
//	Release  write that the key has ended, after our own last message
//
// A follower that stands in vain makes one read. Reads go to the leader of the stream, since replicas may lag behind.
//
// # The term
//
// It is the time at which the bucket was made, in microseconds, and the sequence of the message that began the term.
// The sequence grows with each message in the bucket and never goes back, whatever is deleted; a bucket that is made
// anew begins with a later time. An acquisition that finds itself in a younger bucket than it looked at is written
// again. So terms rise after expiry, release, deletion by hand and deletion of the whole bucket. They can go back when
// the server loses messages that it has confirmed (see below), when a bucket is restored from a backup, or if the
// server's clock was set back before the bucket was made anew. A Manager remembers how far the bucket was and then
// refuses to stand, with an error that is [lease.ErrPermanent]; a process that starts afterwards cannot know.
//
// # Two things that fail in silence
//
// The bucket's own Update has no time to live: a lease that was renewed with it would never end. So a renewal is a
// message of its own, with one. And servers before 2.11, and buckets that were made without LimitMarkerTTL, take a
// time to live and ignore it. So each Acquire looks at the bucket before it writes, and refuses one in which leases
// would not end, would end early (a TTL of the bucket, old messages thrown away when it is full), or would come up
// again (a history); [Bucket] describes a good one.
//
// # Why two never hold a key
//
// Every write names the message that it follows. A request that arrives late follows one that is no longer the last,
// unless nothing has happened since; then it does what its holder wanted. The holder counts from before it wrote, the
// server from when it stored the message. The length is in whole seconds, by the wall clock of the server that leads
// the stream: if it is set forward, leases end early, and if another server takes over, what their clocks differ by
// comes off. So keep their clocks disciplined and never step them. An answer that was lost is settled by a nonce in
// the message.
//
// # What the servers can lose
//
// With three or five replicas a message is confirmed once most have it, with one at once; and either way before it is
// on disk: a server syncs every two minutes unless its sync_interval is set. So a machine that loses power can forget a
// lease that somebody holds, and the term with it: by itself with one replica, and with more if the others that had the
// lease are away or forget, too. Set sync_interval: always. A server process that is killed loses nothing.
//
// A server that has been deposed as the leader of the stream cannot confirm what it is asked to write, nor end a lease.
// It can still be read from: an Acquire is refused in vain then, or a holder told that it has lost what it still has.
//
// # Connections
//
// Every call ends with its context, whatever the connection does. The client notices a dead connection by pings, after
// four minutes unless PingInterval and MaxPingsOutstanding are set: take a third of the TTL together. While the
// connection is away the client keeps what is written and sends it later; this is a late request, see above. The
// server tells of a missing permission beside the call, which gets no answer; the error is found there.
//
// # Rejected
//
// Create and Update of the bucket: see above, and Create hides which message it followed. The revision as it is as the
// term: a bucket that is made anew begins at one. A bucket made by New: how many replicas it has is not ours to say,
// and needs more rights than leading. A watch for each key: a consumer in the server for each. So all watches of a
// Manager are one watch of the bucket, which hears of each renewal; give unrelated fleets buckets of their own.
package nats
