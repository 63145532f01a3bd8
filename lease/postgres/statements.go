package postgres

import "strings"

// statements are the texts of a Manager, with the name of its table in them. Parameters have casts, so that drivers
// and poolers that send them untyped mean the same.
type statements struct {
	acquire, renew, release, read, readMany, fence string
}

// micros is the database clock in microseconds since 1970, the smallest term of an acquisition.
const micros = `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// columns is a row as decode reads it. A row that somebody else wrote may hold anything, so nothing here may fail.
const columns = `key, term, holder, incarnation, meta,
       CASE WHEN isfinite(expires_at) THEN extract(epoch FROM expires_at)::text END AS ends,
       CASE WHEN isfinite(expires_at) THEN
           (least(extract(epoch FROM expires_at) - extract(epoch FROM clock_timestamp()), 1e9) * 1000000)::bigint
       END AS remaining`

// pinned forces, until the statement's own transaction is committed, that a commit waits for the disk and for whatever
// standbys the server is told to wait for. It is asked for inside conditions, so that it is done before a row is
// touched.
const pinned = `pinned AS (
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
               WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true) AS level`

const durable = `(SELECT level FROM pinned) IN ('on', 'remote_apply')`

// acquireText takes the lease if it is free. A row that is not free is neither locked nor written, so followers cost
// a read. One that is free is locked FOR UPDATE, which waits for open transactions that are fenced by it; no longer
// than $7, because a transaction that was forgotten must be reported and not waited for. The conditions are evaluated
// again when the lock is there, and the clock is read again. What has been granted then waits for its turn to commit,
// behind all others that notify, as long as the session would.
//
// The holder's own lease does not end earlier for being taken again: the statement may be one that was given up and
// comes after the one that was sent in its place, for which the holder counts until it hears that the term is another.
const acquireText = `WITH ` + pinned + `,
           current_setting('lock_timeout') AS before, set_config('lock_timeout', $7::text, true) AS patience
), seen AS (
    SELECT ` + columns + ` FROM {table} WHERE key = $1::text
), free AS (
    SELECT key FROM {table} WHERE key = $1::text AND ` + durable + `
       AND (holder = '' OR expires_at <= clock_timestamp() OR holder = $2::text AND incarnation = $3::text)
       FOR UPDATE
), taken AS (
    UPDATE {table} AS t SET holder = $2::text, incarnation = $3::text, meta = $4::text,
           term = greatest(t.term + 1, ` + micros + `), acquired_at = clock_timestamp(),
           renewed_at = clock_timestamp(),
           expires_at = greatest(clock_timestamp() + $5::bigint * interval '1 microsecond',
               CASE WHEN t.holder = $2::text AND t.incarnation = $3::text THEN t.expires_at END)
      FROM free WHERE t.key = free.key RETURNING t.term
), fresh AS (
    INSERT INTO {table} (key, holder, incarnation, meta, term, acquired_at, renewed_at, expires_at)
    SELECT $1::text, $2::text, $3::text, $4::text, ` + micros + `, clock_timestamp(), clock_timestamp(),
           clock_timestamp() + $5::bigint * interval '1 microsecond'
     WHERE ` + durable + ` AND NOT EXISTS (SELECT FROM seen)
        ON CONFLICT (key) DO NOTHING RETURNING term
), granted AS (
    SELECT term FROM taken UNION ALL SELECT term FROM fresh
), told AS (
    SELECT pg_notify($6::text, $1::text), set_config('lock_timeout', (SELECT before FROM pinned), true) FROM granted
)
SELECT coalesce((SELECT term FROM granted), 0), (SELECT count(*) FROM told), seen.*
  FROM (SELECT 1) AS one LEFT JOIN seen ON true`

// renewText moves the end of the lease. It does not ask whether the lease has run out: if it had been taken since, the
// term would be another.
const renewText = `WITH ` + pinned + `
), renewed AS (
    UPDATE {table} SET meta = $4::text, renewed_at = clock_timestamp(),
           expires_at = clock_timestamp() + $5::bigint * interval '1 microsecond'
     WHERE key = $1::text AND holder = $2::text AND incarnation = $3::text AND term = $6::bigint AND holder <> ''
       AND ` + durable + ` RETURNING term
), seen AS (
    SELECT ` + columns + ` FROM {table} WHERE key = $1::text AND NOT EXISTS (SELECT FROM renewed)
)
SELECT coalesce((SELECT term FROM renewed), 0), 0, seen.*
  FROM (SELECT 1) AS one LEFT JOIN seen ON true`

// releaseText leaves the row and its term, without a holder. If the commit is lost in a crash the lease runs out, so it
// need not be forced to the disk.
const releaseText = `WITH released AS (
    UPDATE {table} SET holder = '', incarnation = '', meta = '', expires_at = clock_timestamp()
     WHERE key = $1::text AND holder = $2::text AND incarnation = $3::text AND term = $4::bigint AND holder <> ''
 RETURNING term
), told AS (
    SELECT pg_notify($5::text, $1::text) FROM released
), seen AS (
    SELECT ` + columns + ` FROM {table} WHERE key = $1::text AND NOT EXISTS (SELECT FROM released)
)
SELECT coalesce((SELECT term FROM released), 0), (SELECT count(*) FROM told), seen.*
  FROM (SELECT 1) AS one LEFT JOIN seen ON true`

const readText = `SELECT ` + columns + ` FROM {table} WHERE key = $1::text`

// readManyText takes its keys as lines of one text, which every driver can send; no key holds a line feed.
const readManyText = `SELECT ` + columns + ` FROM {table} WHERE key = ANY (string_to_array($1::text, chr(10)))`

// fenceText fails unless the lease is held, by turning a text into a number, so that the server aborts the transaction
// that it runs in whatever the caller does with the error; the text is what is read in the server's log. It depends on
// a column, or else the planner would work it out beforehand.
//
// FOR KEY SHARE waits for a takeover that is under way, and makes one that comes later wait for the end of the
// transaction, since acquireText locks FOR UPDATE; renewals do not conflict with it. At REPEATABLE READ the row is that
// of the snapshot: its end is out of date, but a term that has changed since is an error by itself.
const fenceText = `WITH held AS (
    SELECT key FROM {table} WHERE key = $1::text AND holder = $2::text AND incarnation = $3::text
       AND term = $4::bigint AND holder <> ''
       AND (expires_at > clock_timestamp() OR current_setting('transaction_isolation') <> 'read committed')
       FOR KEY SHARE
)
SELECT CASE WHEN n = 1 THEN 1 ELSE ('tenure: lost the lease on ' || $1::text || ', term ' || $4::bigint
       || left(n::text, 0))::int END
  FROM (SELECT count(*) AS n FROM held) AS counted`

func statementsFor(t table) statements {
	in := func(text string) string { return strings.ReplaceAll(text, "{table}", t.quoted) }
	return statements{
		acquire: in(acquireText), renew: in(renewText), release: in(releaseText), read: in(readText),
		readMany: in(readManyText), fence: in(fenceText),
	}
}
