//go:build race

package fsm

// underRace is true when the race detector watches, which makes the walk twenty times slower and has nothing to find in
// pure code on one goroutine.
const underRace = true
