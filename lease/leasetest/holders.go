package leasetest

import (
	"context"
	"strings"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// bounded is for what is done after the context of the test has ended.
func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

func metadata(s *scene) {
	for _, meta := range []string{
		"", "http://10.0.0.1:8080/", `{"addr":"10.0.0.1:80"}`, `quotes " ' back\slash %20 %s ; -- $1`, "  spaces  ",
		"Zürich \u2713 \u4e16\u754c \U0001f511", "<a href='x'>&amp;</a>", strings.Repeat("m", lease.MaxMeta), "null", "0",
	} {
		h := s.holder("holder")
		h.Meta = meta
		l := s.grant(s.a, s.key(), h, s.long)
		s.refused(s.b, s.holder("other"), l, "the lease is live")
		moved := l
		moved.Holder.Meta = "elsewhere"
		s.renewed(s.a, moved, s.long, "metadata takes no part in whose lease it is")
		next, err := s.a.Acquire(s.Context(), l.Key, moved.Holder, s.long)
		if err != nil {
			s.Fatalf("Acquire(%q) by its holder with other metadata = %v; want a lease: metadata takes no part in whose it is",
				l.Key, err)
		}
		s.refused(s.b, s.holder("other"), next, "the lease was taken again, with other metadata")
		released := next
		released.Holder.Meta = meta
		s.released(s.b, released)
	}
}

func holderNames(s *scene) {
	all := make([]byte, 0, 95)
	for c := byte(0x20); c < 0x7f; c++ {
		all = append(all, c)
	}
	long := strings.Repeat("n", lease.MaxName)
	for _, name := range []string{
		" ", "a ", " a", "a'b", `a"b`, `a\b`, "a/b", "../a", "a%2Fb", "' OR 1=1 --", "NULL", "0", string(all), long,
	} {
		h := lease.Holder{Name: name, Incarnation: name}
		l := s.grant(s.a, s.key(), h, s.long)
		s.refused(s.b, s.holder("other"), l, "the lease is live")
		head := name[:len(name)-1] // no name here ends with a #
		s.refused(s.b, lease.Holder{Name: name, Incarnation: head + "#"}, l, "R6: the incarnation differs in its last byte")
		s.refused(s.b, lease.Holder{Name: head + "#", Incarnation: name}, l, "the name differs in its last byte")
		s.renewed(s.b, l, s.long, "it is held")
		s.released(s.a, l)
	}
}
