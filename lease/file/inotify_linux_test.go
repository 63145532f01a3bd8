package file

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"testing"
)

func event(mask uint32, name string) []byte {
	b := make([]byte, syscall.SizeofInotifyEvent, 64)
	padded := 0
	if name != "" {
		padded = (len(name)/16 + 1) * 16
	}
	binary.NativeEndian.PutUint32(b[4:], mask)
	binary.NativeEndian.PutUint32(b[12:], uint32(padded))
	return append(append(b, name...), make([]byte, padded-len(name))...)
}

func TestEventsOfTheSystemAreReadAndLostOnesMeanEverything(t *testing.T) {
	moved, removed := event(syscall.IN_MOVED_TO, "k-a.json"), event(syscall.IN_DELETE, "k-bbbbbbbbbbbbbbbb.json")
	for name, c := range map[string]struct {
		batch []byte
		want  string
	}{
		"nothing": {nil, "[] false"},
		"two": {append(moved[:len(moved):len(moved)], removed...),
			"[k-a.json k-bbbbbbbbbbbbbbbb.json] false"},
		"overflow":          {append(event(syscall.IN_Q_OVERFLOW, ""), moved...), "[k-a.json] true"},
		"directory removed": {event(syscall.IN_DELETE_SELF, ""), "[] true"},
		"directory moved":   {event(syscall.IN_MOVE_SELF, ""), "[] true"},
		"watch ended":       {event(syscall.IN_IGNORED, ""), "[] true"},
		"cut off":           {moved[:len(moved)-1], "[] true"},
		"half a header":     {moved[:7], "[] false"},
	} {
		names, all := events(c.batch)
		if got := fmt.Sprint(names, all); got != c.want {
			t.Errorf("%s: %s instead of %s", name, got, c.want)
		}
	}
}

func TestWithoutInotifyThereIsPolling(t *testing.T) {
	s := newSource("/no/such/directory")
	defer s.close()
	if s.prompt() {
		t.Error("it claims to tell of changes where there is nothing")
	}
}
