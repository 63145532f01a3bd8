// Command chaos runs elections of real processes on real stores, breaks everything, and checks the promise.
//
// For each store five processes stand for one key. A nemesis, drawn from a seed, kills processes and starts them again,
// stops them with SIGSTOP for longer than the lease, cuts each one off from the store by a proxy of its own (nothing
// passes, only requests pass, connections are reset, or half of them is gone), and pauses, kills and restarts the
// store. After each round of faults everything is healed, and somebody must lead within the bound that the
// documentation gives.
//
// # What is checked
//
// All processes run on one host and so have one monotonic clock. Each writes a diary of the very instants at which its
// work began, acted and returned. Of unpaused, cooperative work no two intervals overlap, terms rise, and every process
// that is asked to stop does. An interval is cut where the nemesis stopped its process, and where the process made no
// entry for longer than the grace because the machine had no time for it: what a process does that wakes up late is
// what terms are for. For that there is a resource, Jepsen's set: whoever leads reads it, adds an element and writes it
// back, once without and once with the term. What was written with the term is never lost; what was written without
// may be, and usually is when the leader is paused between reading and writing. The transitions that each process
// publishes go through the audit of package simulate.
//
// # Rejected
//
// Asking the processes who leads: what counts is when their work ran, by one clock. Killing by name or port: only what
// was started here is touched. A checker that runs along: it would compete for the processor with what it checks.
package main
