// Package guard runs a command that must not outlive a lease.
//
// Three processes take part:
//
//	tenure ──orders──▶ guardian ──▶ the command and all it starts, in a process group of their own
//	       ◀─reports──
//
// tenure holds the lease. The guardian is the same executable started again. It knows nothing of leases, stores or
// keys: only two deadlines and a process group. Each renewal moves the deadlines. When the first passes, the
// guardian asks the group to end (SIGTERM); when the second passes, it kills the group (SIGKILL). When tenure ends,
// which the guardian sees because the pipe between them closes, it kills the group at once.
//
// So the command dies inside the lease whatever becomes of tenure:
//
//   - killed: the pipe closes;
//   - stopped (SIGSTOP), frozen by a debugger, or hung: no renewal arrives and the deadlines pass;
//   - unable to renew: the same.
//
// And whatever becomes of the guardian:
//
//   - killed: the kernel kills the command (on Linux, by its parent-death signal), and tenure, which inherits what the
//     command had started, kills the rest;
//   - stopped: it confirms no deadline any more, and tenure kills the guardian, and with it all of the above, when the
//     last deadline that was confirmed passes. A deadline counts only once the guardian has confirmed it.
//
// Deadlines are instants of the host, not durations: see package hostclock.
//
// The command is gone when its process group is empty and, on Linux, when no process is left that it started, even
// one that has moved to a session of its own: the guardian adopts such processes (PR_SET_CHILD_SUBREAPER). When the
// command itself ends, what it left behind is asked to end as well, and killed after the grace.
//
// # What is not covered
//
// If tenure and its guardian are killed in the same instant, the command itself is killed on Linux, but not what it
// started. If both are stopped, nobody is left to act. If the whole host is suspended, the command may run for a
// moment after it wakes, until the guardian has been scheduled. Against all of these only the term helps, which the
// command finds in its environment: a resource that refuses smaller terms is never harmed. A set-user-ID command
// drops the parent-death signal. Systems other than Linux have neither that signal nor adoption.
//
// # Rejected
//
// The parent-death signal alone: it follows a thread, not a process, reaches one process, not its children, and
// knows nothing of pauses. A duration in place of an instant: a pause between computing and reading it stretches it.
// The guardian in the command's group: one kill would take both. tenure as the command's parent: nobody would reap
// the command while tenure is stopped, so nobody could tell when it is gone.
package guard
