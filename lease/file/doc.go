// Package file keeps leases in a directory: for several processes on one host, with nothing to install. [New] returns
// a Manager that is a [lease.Manager], [lease.Watcher], [lease.Reader] and [lease.Limiter].
//
// # What is in the directory
//
// For the key "billing" there is k-billing.json, one line of JSON as package register writes it, and k-billing.lock,
// an empty file that processes lock while they compare and replace the record. In names, all bytes but lower-case
// letters, digits, '-', '_' and '.' are written as %xx, so that names are distinct where upper and lower case are
// not, and cannot leave the directory. A key whose name would be longer than 128 bytes goes by its SHA-256 instead,
// as h-HASH.json; the key is in the record and is checked. All files are private to the user (0600). Nothing is ever
// deleted: the record of a released lease is what the next term is counted from.
//
// # Why a kill at any instant loses nothing
//
// A record is never written in place. Under the advisory lock, the new one is written to k-billing.tmp, synced,
// renamed over the old one, and the directory is synced. Whoever is killed in between leaves the old record, or the
// new one, and perhaps a .tmp file, which readers ignore and the next writer removes; the kernel drops the lock. The
// lock is on a file of its own because the record is another file after each rename. Do not remove .lock files while
// processes use the directory: two might then have a lock each.
//
// A process that is stopped (SIGSTOP) in the few instants in which it has the lock keeps others from writing. They
// wait no longer than Config.Wait and then say which process it is. Nobody else can take the lease meanwhile, so this
// is safe.
//
// # Expiry on one host
//
// Processes that run under one kernel share its boot clock (CLOCK_BOOTTIME), which never stops, not even during
// suspend, and cannot be set. The record says on which boot and at which instant of that clock it was written, which
// is later than the moment from which its holder counts. So a newcomer knows at first sight how long a lease still
// lasts, and a dead holder's lease is taken at its end. Where the clock may not be common to all who see the
// directory, it is not used: on other systems than Linux, in a time namespace with an offset, and on file systems
// that other hosts may have mounted, too (anything but a list of local ones). There, and for records of an earlier
// boot, the rule of package register holds: watch a record unchanged for its TTL and 1 %, then take over.
//
// # Network file systems
//
// Everything rests on flock and rename being atomic for all processes. Local file systems keep that. Network file
// systems often do not, and may let two hosts hold one lock when the network is cut; use a database or another store
// there.
//
// # Rejected
//
// A file that is held locked for as long as the lease is held: it has no term, a stopped holder is never replaced,
// and a forked child inherits the lock. A hard link as compare-and-swap: a stopped process that wakes up can link an
// old version after it has been cleaned away. One lock for the whole directory: one slow disk write would hold up
// every key. A blocking flock in a goroutine: it cannot be cancelled and leaks.
package file
