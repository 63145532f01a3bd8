package leasetest

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// oddNames are keys that a store might take for something else: a path, a pattern, a statement, a device, or another
// key.
func oddNames() []string {
	odd := []string{
		"key", "Key", "KEY", "kEY", "key ", " key", " key ", "  key", "key.", "key..", ".key", "..key", "/key",
		"//key", "key/", "key//", "./key", "../key", "key/.", "key/..", "a/b", "a//b", "a/./b", "a/../b", "b", `a\b`,
		`a\\b`, "a:b", "a.b", "a-b", "a_b", "a+b", "a b", "a%20b", "a%2Fb", "a%2fb", "a%252Fb", "a%b", "a%%b", "a?b",
		"a*b", "a&b", "a=b", "a#b", "a;b", "a,b", "a|b", "a<b", "a>b", `a"b`, "a'b", "a''b", `a\'b`, "a`b", "a$b",
		"$a", "${a}", "$(a)", "{{.a}}", "[a]", "(a)", "a@b", "a^b", "a!b", "~", "~root", "--", "-rf", "--help", ".",
		"..", "...", "/", "//", `\`, `\\`, "%", "%%", "%00", "%s", "%d", "%!", "_", "*", "?", " ", "  ", "'", `"`,
		"''", `""`, "`", ";", "' OR '1'='1", `"; --`, "CON", "con", "Con", "NUL", "nul.txt", "AUX", "COM1",
		"LPT1.log", "C:", `C:\key`, "null", "NULL", "nil", "true", "0", "00", "-1", "1e3", "lock", "tmp", ".tmp",
		"key.tmp", "key.lock", "key~", "key.json", "lost+found", ".git",
	}
	for c := byte(0x21); c < 0x7f; c++ {
		odd = append(odd, "char "+string(rune(c)))
	}
	return odd
}

// longNames are keys at the greatest length, equal but for one byte at an end.
func (s *scene) longNames() []string {
	most := lease.MaxKey
	if s.limits.MaxKey > 0 {
		most = min(most, s.limits.MaxKey)
	}
	fill := func(c, prefix, suffix string) string {
		return prefix + strings.Repeat(c, most-len(prefix)-len(suffix)) + suffix
	}
	p := s.prefix
	return []string{
		fill("k", p, ""), fill("k", p, "j"), fill("k", p, "K"), fill("k", p, "")[:most-1], fill("k", "x"+p, ""),
		fill("/", p, ""), fill(".", p, ""), fill(" ", p, "."), fill("%", p, ""), fill("'", p, ""),
		fill(`\`, p, ""), fill(`"`, p, ""),
	}
}

// oddKeys holds all odd keys at once, each by a holder of its own, so that no two can share a record.
func oddKeys(s *scene) {
	keys := append(oddNames(), s.longNames()...)
	for _, key := range keys { // what an earlier run may have left
		l := s.takeover(s.a, key, s.holder("sweeper"), time.Time{}, s.long)
		s.released(s.a, l)
	}
	leases := make([]lease.Lease, len(keys))
	for i, key := range keys {
		leases[i] = s.grant(s.side(i), key, s.holder("holder"), s.long)
	}
	s.Cleanup(func() { s.tidy(leases) })
	for i, l := range leases {
		s.renewed(s.side(i), l, s.long, "nobody else has stood for this very key")
		if i%8 == 0 || len(l.Key) < 4 {
			s.refused(s.side(i+1), s.holder("other"), l, "the lease is live")
		}
	}
	for i, l := range leases {
		s.released(s.side(i+1), l)
	}
}

// tidy releases what a law that ended early has left.
func (s *scene) tidy(leases []lease.Lease) {
	ctx, cancel := bounded()
	defer cancel()
	for _, l := range leases {
		_ = s.a.Release(ctx, l)
	}
}

func manyKeys(s *scene) {
	const many, workers = 240, 8
	leases := make([]lease.Lease, many)
	var failed atomic.Int32
	each := func(what string, f func(i int) error) {
		s.Helper()
		together(workers, func(w int) {
			for i := w; i < many; i += workers {
				if err := f(i); err != nil && failed.Add(1) <= 3 {
					s.Errorf("%s of one of %d keys (%q) = %v; want success", what, many, leases[i].Key, err)
				}
			}
		})
		if failed.Load() > 0 {
			s.Fatalf("%d of %d keys failed", failed.Load(), many)
		}
	}
	last := make([]lease.Term, many)
	for round := range 2 {
		each("Acquire", func(i int) error {
			key, h := leases[i].Key, s.holder("holder")
			if round == 0 {
				key = s.key()
			}
			l, err := s.side(i+round).Acquire(s.Context(), key, h, s.long)
			if err == nil && (l.Key != key || l.Holder != h || l.Term <= last[i]) {
				s.Errorf("Acquire(%q) = %+v after term %d; want that key, holder %+v and a greater term", key, l, last[i], h)
			}
			leases[i], last[i] = l, l.Term
			leases[i].Key = key
			return err
		})
		each("Renew", func(i int) error { return s.side(i).Renew(s.Context(), leases[i], s.long) })
		each("Acquire by another", func(i int) error {
			_, err := s.side(i).Acquire(s.Context(), leases[i].Key, s.holder("other"), s.long)
			if errors.Is(err, lease.ErrHeld) {
				return nil
			}
			return errors.Join(errors.New("not refused"), err)
		})
		each("Release", func(i int) error { return s.side(i).Release(s.Context(), leases[i]) })
	}
}
