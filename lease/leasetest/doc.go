// Package leasetest proves that a lease.Manager keeps its promises, and breaks them on purpose.
//
// [Run] is the conformance suite: whoever writes a store proves it with one line in a test. [Check] is the same
// without package testing, for commands. Each law is a subtest with a sentence for a name; a failure says what was
// done, what was wanted and why, with the number of the safety rule where one rests on it.
//
// Stores come in two classes, and the laws hold for both. Either the store has a clock and lets leases run out; or
// it only keeps records, and whoever wants a lease takes it over after having seen its record unchanged for a whole
// lease length. So a law about a lease that runs out has the successor look at once and again and again: neither
// class may give the lease away before its end, and both must soon after. Time is real or virtual, see [Config].
//
// Contention is judged from histories: what each client asked and was answered, and when. Porcupine searches for an
// order of the calls in which every answer is right; if there is none, the whole history is printed. An answer that
// was lost may have had its effect at any later time, or none.
//
// Requests that were given up and arrive late are made by giving up at ever later moments, so how many there are
// depends on the store and the machine: what is found is a fault, what is not found in one run may be in the next.
//
// What the suite does not ask: whether a lease that ran out may be renewed while nobody has taken it; whether the
// second release of a lease returns nil or lease.ErrLost; whether a watch tells of a lease that runs out, which is
// no change at the store; that stores without a limit on keys take more than lease.MaxKey bytes; and what one
// machine cannot show, such as a store that loses what it has confirmed.
//
// [Faulty] wraps any Manager and makes its calls slow, fail, hang, or lose their requests or answers, after a
// [Script] or drawn from a seed by [Seeded].
//
// # Rejected
//
// Faults drawn from one stream of random numbers: taking one away moves all that follow, so that a failing run
// cannot be made smaller. A suite that takes *testing.T only: nobody could show that it fails when it must. Waiting
// once for the end of a lease and asking once: it excludes stores without a clock, and misses those that free a
// lease too early.
package leasetest
