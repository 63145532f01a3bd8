// Package contest is for tests of stores: several real nodes stand for one key on whatever the test breaks, and a
// [Ledger] notes whose work ran when. That work of two nodes overlaps or that a term does not rise is a fault, whatever
// the store went through. All nodes run in the process of the test, so that one clock times them all.
//
// # Rejected
//
// Comparing what the nodes believe, by their Status: it is the work that must not overlap, and it ends after belief
// does. Processes of their own: they can be killed and paused, which is what make chaos does for minutes.
package contest
