//go:build linux

package redis

import (
	"strings"
	"testing"

	"github.com/go-tenure/tenure/lease"
)

func TestAnAnswerThatTheScriptDoesNotGiveIsAnError(t *testing.T) {
	for name, reply := range map[string]any{
		"nothing": nil, "a number": int64(1), "no parts": []any{}, "a part that is none": []any{"done", nil},
		"an unknown word": []any{"yes", "", "", "", "1", "0"}, "too few parts": []any{"done", "", ""},
		"no number": []any{"done", "a", "b", "", "1", ""}, "a holder without a term": []any{"held", "a", "b", "", "0", "1"},
		"a negative rest": []any{"held", "a", "b", "", "1", "-1"}, "a term too great": []any{"lost", "", "", "",
			"9007199254740992", "0"},
	} {
		if a, err := parse("k", reply); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func FuzzAnAnswerIsAnErrorOrASoundRecord(f *testing.F) {
	f.Add("done\x01alice\x01a1\x01meta\x011795809252323090\x0115000000")
	f.Add("done\x01\x01\x01\x011795809252323090\x010")
	f.Add("foreign\x012")
	f.Add("damaged")
	f.Fuzz(func(t *testing.T, text string) {
		var reply []any
		for _, part := range strings.Split(text, "\x01") {
			reply = append(reply, part)
		}
		a, err := parse("k", reply)
		if err != nil {
			return
		}
		r := a.record
		if r.Key != "k" || r.Term > maxTerm || r.Remaining < 0 || r.Remaining > maxTTL {
			t.Errorf("%q is read as %+v", text, a)
		}
		if r.Holder != (lease.Holder{}) && (r.Term == 0 || r.Holder.Check() != nil) {
			t.Errorf("%q is read as held by %+v", text, r.Holder)
		}
	})
}
