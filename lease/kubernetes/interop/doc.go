// Package interop is where lease/kubernetes meets the real client-go: electors of client-go and nodes of Tenure stand
// for one Lease of a real API server, under faults, and no two of them may lead at one instant. It is a module of its
// own, so that nobody who uses lease/kubernetes gets client-go with it. It has tests only.
//
// # Rejected
//
// A copy of client-go's elector in the tests of lease/kubernetes: it would go on agreeing with us after client-go has
// changed.
package interop
