// Package simulate plays many nodes in virtual time, with everything that can go wrong, over the very [fsm.Machine]
// that runs in production.
//
// There are three ways to look at the same machine:
//
//   - Schedules. A [Scenario] says what goes wrong and when; [Play] plays it, the same way every time, and checks the
//     rules after every step, as an observer that knows the true time and all that is going on. A [Campaign] plays a
//     range of seeds, each of which makes a scenario with [Plan]. What fails is made small by [Shrink], shown by
//     [Trace.Timeline] on a terminal and by [Trace.HTML] in a browser, and repeated by [Replay]. [Run] does all of that
//     for a user's test.
//   - Your own code. [Bubble] runs the nodes of package actor and the user's own work over the same world, in a
//     synctest bubble, one thing at a time, and holds every move and every call to what the machine does. What fails
//     is shrunk and shown as well, and repeated by [ReplayBubble].
//   - Everything. [Small.Explore] visits every state that a small world can reach, with every order of events, every
//     loss and every delay, and says exactly what that world was. [Explore] does it for a user's test.
//
// What schedules and explorations have met is told by [Coverage]: moves, faults, rare events, and cells of a state, an
// input and a fault that was active then. [Reachable] is which cells can be met at all, as far as small worlds show.
//
// [Audit] checks what can be checked of the same rules on the events that nodes wrote down in production.
//
// In schedules and explorations no clock and no random number takes part, and no goroutine whose pace makes a
// difference. Whatever a fault does not decide is a hash of the seed and of what it is for, so that leaving out one
// fault leaves everything else as it was.
//
// # What is simulated
//
// The machine is the real one. The actor around it is real in a bubble; elsewhere the world does what it does between
// machine and store, in the same order. The network delays, loses, doubles and overtakes. The store is a model of one
// that lets leases run out by its own clock, or a bare register under the very decisions of package lease/register.
// Work that is told to stop returns within three quarters of the grace. It is fast because it is small: these are
// elections, not databases.
//
// # What is checked
//
// Rules are named as in docs/SAFETY.md: R1 (no two pieces of work at once, no deadline beyond the lease), R2 to R10,
// R12; "fence" (a resource never refuses the rightful leader), "live" (somebody leads after all is healed), "loss"
// (no term ends for one lost message), "load" (one call at a time, and no storm of them), "stop" (who was asked to
// stop does not begin to lead, and ends soon), "Zeno" (time goes on) and "table" (no other moves than those of the
// table). A leader that was paused beyond its deadline, whose work ignores its context or whose lease was taken away
// by hand is outside of the promise, as docs/SAFETY.md says; its terms are checked all the same.
//
// # Your own code
//
// In a bubble goroutines, channels, contexts, logs and hooks are real, and the work is the user's. Nothing else moves
// them than one driver. It has one queue for everything: timers of the nodes' clocks, messages, faults, returns of the
// work, writes to what it protects. It takes one item out, delivers it to one goroutine, and waits until all have come
// to rest; what they did meanwhile goes into the queue in an order that does not depend on who was first. So a select
// of the actor never finds two cases ready, and one seed is one run. Each item is taken by a machine of the simulation
// too, and every node that it touched is compared with its machine: moves, calls, term, and time left to the
// nanosecond. The machine's world is that of a schedule, so all its rules are checked, and a schedule with the same
// faults makes the same moves at the same instants.
//
// What the work writes to, a [Resource] or a [Set], shows what a fence is for: see [World.ExpectViolation].
// [World.Plan] draws faults for each seed. [World.Mocks] puts the nodes on Mock clocks, which must make no difference.
//
// A bubble does not see what the work does outside of it. What the user's own goroutines do at one and the same
// instant is theirs, and so is their state between two runs; [Cluster].Twice finds out. Code that waits for a mutex or
// for input is not at rest, and the bubble waits for it.
//
// # Rejected
//
// A bubble without a driver: Go fires the timers of one instant in random order on purpose, so 200 runs were 200
// orders. One bubble for all tries of a shrinker, or a subtest for each: what the user's function has set up cannot be
// taken back, and t.Run is not allowed in a bubble. Recording which goroutine ran when, to replay it: it breaks with
// every change to the code, and a script of faults does not. Setting a Mock forward past a pause: its timers fire on
// the way, at instants at which the process stood still. Recovering from a panic of the work and going on: nobody
// knows what state it left behind; the process ends, as it would in production.
package simulate
