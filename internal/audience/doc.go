// Package audience keeps who watches which key of a store, for Managers that tell of all keys from one place.
//
// There is one goroutine, which the store provides, from the first watch until the last one stops, however many keys
// are watched: it listens, reads, polls, whatever the store offers, and tells. What it remembers of a key lives as long
// as the key is watched. What [lease.Watcher] promises of stop and of calls that do not overlap is kept here, once.
//
// Rejected: a goroutine for each key, which costs as much as an election; and a goroutine that stays after the last
// watch, which a Manager without a Close could never end.
package audience
