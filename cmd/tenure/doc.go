// Command tenure runs a program only while this process leads an election.
//
//	tenure run --store file:/var/lib/tenure billing -- /usr/bin/billing --serve
//
// Any number of processes on one host may run this line. One of them leads, and its program runs; when it ends,
// however it ends, another takes over. The program never outlives the lease: see package guard for how.
//
// `tenure help` lists what else there is.
package main
