// Package leasetest proves that a lease.Manager keeps its promises, and breaks one on purpose.
//
// [Run] is the conformance suite: whoever writes a store proves it with one line in a test. [Check] is the same without
// package testing. The laws that it tests are listed by [Laws]; each names the safety rule that rests on it.
//
// [Faulty] wraps any Manager and makes its calls slow, fail, hang, or lose their requests or answers, after a script or
// drawn from a seed.
package leasetest
