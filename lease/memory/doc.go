// Package memory keeps leases in this process: for tests, demonstrations and services of a single node.
//
// The zero [Manager] is ready to use. It serves any number of keys: a key costs about 70 bytes beside its name, a
// renewal allocates nothing, and no goroutine or timer exists for a key that nobody watches.
//
// A lease that has run out is over: it cannot be renewed, even if nobody has taken it since, and it is not released
// any more. So what watchers have been told stays true.
//
// The records of keys are kept for as long as the Manager, because the next term is counted from them. Terms start
// anew with each Manager; it forgets everything when the process ends.
package memory
