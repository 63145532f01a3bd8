// Package sql keeps leases in a table of MySQL, MariaDB or SQLite, through the caller's own *sql.DB. It imports no
// driver. [New] returns a Manager that is a [lease.Manager], [lease.Watcher], [lease.Reader] and [lease.Limiter].
//
// Every change of a lease is one statement with its condition in it, committed by itself, so that a process that is
// killed or stopped between two statements leaves nothing half done.
//
// # MySQL and MariaDB
//
// A row says who holds the key, under which term, and until when on the clock of the database (UTC_TIMESTAMP); no
// clock of a client is asked. A statement sees the time at which it began, however long it then waits for a row, and
// its sender counts from before that. One that waited so long that a later one of the same holder has overtaken it must
// not bring the end nearer, so a row also says when the latest began. The next term is one more than that in the row;
// the row of a new key begins with the microseconds since 1970, so that after a row was deleted by hand terms go on
// from a greater number.
//
// Each statement also has the condition that the server may be trusted with it: it commits by itself (autocommit), is
// not read-only, and writes each commit to disk (innodb_flush_log_at_trx_commit = 1, and sync_binlog = 1 if there is a
// binary log, from which a server that crashed learns what was committed; Config.Relaxed leaves these two out). A
// server on which that does not hold refuses with an error that says what to set. Conditions in the statement, and not
// asked for beforehand: a setting may change, and a connection of a pool may be another.
//
// What can still lose a grant: a failover to a replica that has not received it, unless replication is synchronous;
// then two may lead until the first one's lease ends, and a term may be given out twice. A clock of the database that
// steps forward ends leases early, by as much as it steps; one that steps backward keeps them longer. Of a Galera
// cluster use one node for all processes: rows are safe on any (a conflicting write fails when it is certified), but
// each node measures the end of a lease by a clock of its own.
//
// # SQLite
//
// A row holds a record as package register writes it, and a write is a compare-and-swap on the whole record. So the
// wall clock decides nothing, and may step. Processes under one kernel that have the file on a local file system share
// its boot clock, and a newcomer knows at first sight when a lease ends; elsewhere a lease is taken over after its
// record was seen unchanged for its TTL and 1 %. Deleting a row leaves its term in a second table, by a trigger. A
// database that another process has locked is tried again until the context ends.
//
// SQLite locks files as its documentation says: on a local disk, never on a network file system. A process that is
// stopped in the midst of a write keeps the others from writing until it goes on or is killed: nobody else can take
// a lease meanwhile, so this is safe.
//
// # Fencing
//
// [Manager.Fence] makes the caller's own transaction fail unless the lease is still held under its term when the
// transaction commits. What such transactions write to the same database cannot be overtaken by a later leader. It
// does not ask the time: as long as nobody has taken the lease, no later term has written anything.
//
// # Rejected
//
// GET_LOCK and other locks of a session: they have no term, and a session that a proxy shares, or that the server
// loses without the client's hearing of it, is not a lease. INSERT ... ON DUPLICATE KEY UPDATE with IF in each column:
// whether it works depends on the order in which columns are assigned, which a setting of MariaDB changes, and
// RowsAffected means something else for each driver setting. Expiry times of SQLite's datetime('now'): the wall clock
// steps. A column with PAD SPACE collation, which is what most are: "a" would be "a " there. A library of statements
// shared with PostgreSQL: that one returns rows from an UPDATE and notifies, and would gain nothing.
package sql
