// Package postgres keeps leases in a table of PostgreSQL. [New] returns a Manager that is a [lease.Manager],
// [lease.Watcher], [lease.Reader] and [lease.Limiter]; [Migrate] makes the table. Statements run on any *sql.DB; pgx is
// needed for LISTEN, which can be left out. [Manager.Fence] lets a transaction of the leader take effect only while it
// leads.
//
// # One statement
//
// Every call is one statement, a transaction of its own, so it works through a pooler that gives each transaction
// another session. An acquire is an UPDATE of the row if it is free, or an INSERT if there is none, and the answer
// says who is in the way. What a statement has seen and what it then finds may differ, because it sees one instant and
// waits for locks in a later one; the conditions are evaluated again when the lock is there, so nothing is granted
// twice, but the answer may be out of date. Then the statement is made again: the loser of a race learns who has won.
//
// A follower that looks at a lease that is held reads one row and locks nothing.
//
// # The clock, and commits
//
// A lease ends by the clock of the database, clock_timestamp(), read after locks were waited for. Holders count from
// before they asked, so theirs end earlier. No other clock takes part.
//
// What was granted must not be forgotten in a crash. Roles and databases can be set to commit asynchronously, so each
// statement that grants or renews sets synchronous_commit for its own transaction and for no longer; it takes effect
// because PostgreSQL reads it when it commits. lock_timeout is set in the same way: an acquire that has to wait for an
// open transaction says so after two seconds at the latest.
//
// # Terms
//
// The next term is one more than that in the row, or the clock of the database in microseconds, whichever is greater.
// So terms rise after rows were deleted, after a backup was restored, and after a failover to a standby that lacked
// the newest rows, unless the clock goes back as well, by more than the time since the last acquisition. Release leaves
// the row.
//
// # Fencing
//
// [Manager.Fence] locks the row FOR KEY SHARE until the caller's transaction ends. An acquire locks it FOR UPDATE, so
// one waits for the other; a renewal takes a lock that conflicts with neither. A term that is not the present one
// makes the server itself abort the transaction.
//
// # Watching
//
// All watched keys are read in one statement at each poll. If Config.Listen is set, one connection listens for all
// keys, and polls are ten times rarer. Anybody who can connect to the database can send notifications, so what they
// say is only which key to read. A connection that has died without a word, or that leads to a pooler, hears nothing:
// therefore the process sends itself a notification every ten seconds, through the database, and gives up a
// connection on which it does not arrive.
//
// # Guarantee
//
// One holder at a time and rising terms, as long as the server keeps what it has confirmed and its clock is not set
// back or forward. A failover to an asynchronous standby can lose the newest grants, so that two lead for up to one
// TTL, under different terms; use a synchronous one. docs/stores/postgres.md says what else to know.
//
// # Rejected
//
// Advisory locks: they have no term, end with a session that a pooler gives to somebody else, and outlive a client
// whose host is gone. Reading, deciding, and writing in a transaction: more round trips, and locks that are held while
// the network is slow. INSERT ON CONFLICT DO UPDATE for every acquire: it locks the row and writes to the page even if
// the lease is held, for every look of every follower. Refusing to renew a lease that has run out and that nobody has
// taken: a leader in time never asks for it, and after a step of the server's clock all would lose theirs at once. A
// function in the database: it has to be deployed and granted. Records in notifications: anybody could forge a leader.
// Notifying each renewal: PostgreSQL commits such transactions one after the other. FOR SHARE as the fence: the
// leader's own renewals would wait for its own transactions.
package postgres
