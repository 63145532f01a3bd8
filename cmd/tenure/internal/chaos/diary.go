//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-tenure/tenure/cmd/tenure/internal/hostclock"
	"github.com/go-tenure/tenure/lease"
)

// entry is one line of a diary.
type entry struct {
	what byte // one of the following
	term lease.Term
	at   hostclock.Instant
}

const (
	begun    = 'B' // the work was called
	acted    = 'A' // it did something that only the leader may do
	returned = 'R' // it is about to return
)

// diary is what a process notes of its work. Each entry is one write, so that nothing is lost when it is killed.
type diary struct{ file *os.File }

func openDiary(path string) (*diary, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	return &diary{f}, err
}

func (d *diary) note(what byte, term lease.Term) {
	if _, err := fmt.Fprintf(d.file, "%c %d %d\n", what, term, hostclock.Now()); err != nil {
		panic("chaos: diary: " + err.Error()) // a process without a diary proves nothing
	}
}

// readDiary reads the entries of all processes that wrote into one diary one after the other. The last line of a
// process that was killed may be cut, and the first of its successor glued to it.
func readDiary(r io.Reader) ([]entry, error) {
	var all []entry
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var e entry
		line := lines.Text()
		if i := strings.LastIndexAny(line, "BAR"); i > 0 {
			line = line[i:]
		}
		if n, _ := fmt.Sscanf(line, "%c %d %d", &e.what, &e.term, &e.at); n == 3 {
			all = append(all, e)
		}
	}
	return all, lines.Err()
}
