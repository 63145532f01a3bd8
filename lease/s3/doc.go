// Package s3 keeps leases in a bucket of S3, or of a server that speaks its protocol, through conditional writes.
//
// Each key is one small object, which package register treats as a record to be compared and swapped: it is created
// with If-None-Match: * and replaced with If-Match and the ETag that was read last. S3 has no clock that ends a lease.
// A contender takes over when it has seen the same ETag for the holder's whole TTL on its own clock; the reasons why
// that is safe are in package register. So a newcomer waits a whole TTL before it replaces a holder that is gone, and
// nobody can be told of changes: followers ask.
//
// # Servers that ignore conditions
//
// There are servers that take a conditional write, ignore the condition and answer 200. On such a server everybody
// would lead. So before a Manager writes for the first time it puts them to the test, on an object of its own beside
// the records: creating it twice must fail, and so must replacing it under an ETag that it does not have. A server that
// does not refuse is refused, for good, and nothing was written that anybody counts on.
//
// # Answers that are lost
//
// The client repeats a write whose answer does not come, and then reports its own success as a conflict (412). Every
// record has a nonce, by which register recognises what it wrote itself. 409, which S3 answers when two writes meet,
// is a conflict like any other: the record is read again and the decision made afresh.
//
// # Terms
//
// The next term is one more than that in the record, and at least the time of the server, from the Date of its latest
// answer, in microseconds. So terms rise though the object was deleted by a person or by a lifecycle rule, if a second
// lies between the last acquisition and the next.
//
// # Rejected
//
// Deleting on release: terms would begin again, and most servers ignore If-Match on DELETE. Last-Modified and Date to
// spare a newcomer the wait: the grain is a second, and a front end may cache. Versions of a versioned bucket as terms:
// they do not rise. Listing: a lease needs one object. Bucket notifications: they are late, and need a queue.
package s3
