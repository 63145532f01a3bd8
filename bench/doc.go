// Package bench puts this library beside its peers on the same work, in benchmarks that "make bench" runs. It has no
// code to import, and it is a module of its own so that the peers never reach a user's build.
//
// Every benchmark has one sub-benchmark per peer:
//
//   - client-go: the elector of k8s.io/client-go/tools/leaderelection over a record in memory. The record is written
//     to be cheap: no JSON, no API server, a mutex and a version. An elector that has lost does not stand again by
//     itself, so the benchmark runs it in a loop, as programs do that do not exit.
//   - tenure: one actor.Node over lease/memory.
//
// Both have leases of 15 s that are renewed every 2 s, and both look again every 2 s while somebody else leads; these
// are client-go's defaults. Measurements that wait for time to pass run in a testing/synctest bubble, where time is
// virtual and a wait costs nothing, unless the name says clock=real.
//
// The figures, by unit:
//
//	B/election            live heap and stack, store included, once every election has settled
//	goroutines/election   likewise
//	cpu-us/renewal        time on all cores, user and system, while leases are being renewed
//	B/renewal, allocs/renewal
//	p50-ms, max-ms        from asking the leader to leave (handover) or cutting it off (failover) until the successor's
//	                      work runs
//	late-max-ms           the same, counted from the end of the lease that the leader held last
//	sim-s/s               virtual seconds per real second
package bench
