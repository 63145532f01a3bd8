// Package bootclock is the clock that all processes under one kernel share: the time since boot, suspend included. It
// never steps and nobody can set it, so a process may write down when its lease began, and another knows at first sight
// when it ends.
//
// [Domain] says where that holds. It does not on other systems than Linux, in a time namespace with an offset, and for
// files that another host may see, too: then there is no domain, and a lease is watched for its whole length.
//
// # Rejected
//
// The wall clock: it steps, and people set it. Trusting every file system but a list of those on the network: the
// list is never complete, and a mistake makes two leaders. The domain of an earlier boot as proof that its processes
// are dead: a disk may have moved to another host while the first still writes to it.
package bootclock
