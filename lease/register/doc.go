// Package register turns any compare-and-swap register into a [lease.Manager]: a store that can keep one small record
// for a key and replace it on the condition that nobody else has replaced it first. Such are Kubernetes objects,
// object stores with conditional writes, DynamoDB items, and files under an advisory lock. Whoever writes an adapter
// implements the two methods of [Register] and gets Acquire, Renew, Release and Read from [New], and Watch from
// [NewWatcher].
//
// # How a lease expires without a clock at the store
//
// The record holds a duration, never an instant of somebody's wall clock. Every renewal writes a new record and so
// makes a new version. A contender takes the lease over when it has seen the very same version for the whole length
// that is written in the record, and a little longer (Config.Drift), on its own steady clock, counted from the moment
// after it first saw that version; and the takeover is a compare-and-swap on exactly that version. This is safe
// because
//
//	the holder sent it  <  the register stored it  <  the contender first saw it
//
// and the holder counts from the first of these, the contender from the last. A renewal that comes before the
// takeover changes the version, so the takeover fails; one that comes after it fails itself. Nobody compares two
// clocks. The price is that a newcomer has to watch a dead holder for a whole length, unless both run on one host and
// the register offers the clock that they share (Config.Shared).
//
// # Where the decisions are
//
// In decide.go, as pure values: [Sight] is what an observer knows, [Call] is one operation on its way, [Call.Next] is
// the only function that decides. No clock, no input or output, no goroutine: a model checker can walk it, and the
// tests of this package do. [Manager] is the thin shell that loads, asks Next, and stores.
//
// # Answers that are lost
//
// A Store may fail in a way that leaves open whether it was carried out, and some client libraries repeat a request
// by themselves and then report their own success as a conflict. So every write carries a nonce. After any answer but
// success the record is read back: if it carries our nonce, the write was done; if the version is still the old one,
// the same bytes are written again, so that it does not matter which of the two arrives; if the version is another,
// the write can never arrive any more and the decision is made afresh. A caller counts its lease from before it
// called, so the time this takes is never added to a lease.
//
// # Terms
//
// The next term is one more than that in the record. Release leaves the record behind with its term and no holder. If
// the register loses a record (deleted by hand), a Manager still counts on from the highest term that it has itself
// seen for the key within the last hour; a process that starts afterwards cannot know, and starts from Config.Floor,
// or from 1.
//
// # Rejected
//
// Expiry times in the record: they compare two hosts' clocks. Deleting on release: terms would begin again. Treating a
// conflict as a refusal: it may be our own write. A goroutine in the Manager: it has nothing to do between two calls.
package register
