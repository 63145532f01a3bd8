// Package actor runs elections: a [Node] stands in any number of them, runs the work of those it leads for exactly as
// long as the lease is truly held, and publishes every change.
//
// A node is one goroutine, the one that calls [Node.Run], with one mailbox, one heap of deadlines and one timer. It
// owns an [fsm.Machine] per election, which decides, and does what the machines ask for:
//
//	             requests, answers, news, returns, ticks
//	                            |
//	                        [mailbox]
//	                            v
//	timer <-- heap <-- goroutine of Run --> fsm.Machine.Step --> fsm.Table
//	                            |                                   |
//	            a goroutine per call to the store     enter Leader: start the work
//	            (bounded, one awaited per election)   leave Leader: end its context
//	                                                  every move: publish an event
//
// No call to the store, no work and no callback but [Hooks], Election.TTLFunc and the handler of Config.Logger ever
// runs on that goroutine, so nothing else can keep a deadline waiting. [Tenure.Leading] and [Campaign.Check] do without
// it.
//
// # Work
//
// Election.Lead runs only while the node leads. Its context ends the moment leadership does, locally, before anything
// is asked of the store; [context.Cause] of it is an [*Ended]. The lease is released after the work has returned and
// not before, so work that is slow to return delays the next leader, and work that does not return keeps this node out
// of the election. Leading may be asked at any time with [Tenure.Leading], which looks at the clock and so is right
// even when this process was stopped for a while and its timers are late.
//
// # What is not promised
//
// A process that is paused between asking Leading and acting acts late. Only the resource it acts on can refuse
// that: send [Tenure.Term] along with every write and have the resource refuse smaller terms than it has seen. Events
// inform; they arrive after the fact and may be dropped for slow readers. Never let safety rest on them.
//
// # Fits
//
// The methods use types of the standard library only, so that they fit other libraries as they are: [Node.Run] is a
// function for an errgroup and an oklog/run group; [Node.Serve] makes it a suture Service; [Node.Start] and
// [Node.NeedLeaderElection] a controller-runtime Runnable; [Campaign.IsLeader] a gocron Elector; [Node.Healthz] a
// healthz.Checker; [Node.Livez], [Node.Readyz], [Campaign.Leaderz] are http Handlers.
//
// # Rejected
//
// A goroutine per election: 4 to 7 KB each. A timer per store call: the machine's own time limit wakes the actor, which
// then ends the call's context. Calls to the store from the actor: one that hangs makes it deaf. A Stop method beside
// the context of Run: two ways to end, and one of them always forgotten. Callbacks on election and loss: a callback
// cannot be made to return; a context can be watched. Recovering from a panic of the work: nobody knows what state it
// left behind; let the process end and the lease run out.
package actor
