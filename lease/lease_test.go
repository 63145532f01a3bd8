package lease

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// says fails unless err is nil and no text is wanted, or err contains every wanted text.
func says(t *testing.T, err error, want ...string) {
	t.Helper()
	if len(want) == 0 && err != nil {
		t.Errorf("got %v; want nil", err)
	}
	if len(want) > 0 && err == nil {
		t.Errorf("got nil; want an error that says %q", want)
	}
	for _, w := range want {
		if err != nil && !strings.Contains(err.Error(), w) {
			t.Errorf("got %q; want it to say %q", err, w)
		}
	}
}

func TestKeysArePrintableAndOfLimitedLength(t *testing.T) {
	for _, c := range []struct {
		name, key string
		want      []string
	}{
		{"one byte", "k", nil},
		{"every printable byte", printable(), nil},
		{"as long as can be", strings.Repeat("k", MaxKey), nil},
		{"empty", "", []string{"key", "0 bytes", "1 to 253"}},
		{"too long", strings.Repeat("k", MaxKey+1), []string{"254 bytes"}},
		{"line feed", "a\nb", []string{`"a\nb"`, "0x0a", "position 1"}},
		{"zero byte", "\x00", []string{"0x00", "position 0"}},
		{"delete", "a\x7f", []string{"0x7f"}},
		{"not ASCII", "schl\u00fcssel", []string{"0xc3", "ASCII"}},
		{"not UTF-8", "a\xff", []string{"0xff"}},
	} {
		t.Run(c.name, func(t *testing.T) { says(t, CheckKey(c.key), c.want...) })
	}
}

func printable() string {
	var s strings.Builder
	for b := byte(0x20); b < 0x7f; b++ {
		s.WriteByte(b)
	}
	return s.String()
}

func FuzzCheckKey(f *testing.F) {
	long := strings.Repeat("k", MaxKey+1)
	for _, s := range []string{"", "k", "a/../b", " ", "\x1f", "\x7f", "\u00fc", "\xff", long, printable()} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		odd := strings.IndexFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
		good := len(key) > 0 && len(key) <= MaxKey && odd < 0
		err := CheckKey(key)
		if (err == nil) != good {
			t.Fatalf("CheckKey(%q) = %v; want an error: %v", key, err, !good)
		}
		if err != nil && len(key) <= MaxKey && strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
			t.Fatalf("CheckKey(%q) says %q, with a control character", key, err)
		}
	})
}

func TestHoldersAreCheckedForEveryFaultAtOnce(t *testing.T) {
	good := Holder{Name: "node-a", Incarnation: "1", Meta: "Z\u00fcrich, http://10.0.0.1"}
	long := strings.Repeat("x", MaxName+1)
	for _, c := range []struct {
		name string
		h    Holder
		want []string
	}{
		{"good", good, nil},
		{"no metadata", Holder{Name: "n", Incarnation: "i"}, nil},
		{"longest", Holder{Name: long[1:], Incarnation: long[1:], Meta: strings.Repeat("m", MaxMeta)}, nil},
		{"nobody", Holder{}, []string{"name has 0 bytes", "incarnation has 0 bytes"}},
		{
			"all too long", Holder{long, long, strings.Repeat("m", MaxMeta+1)},
			[]string{"name has 254", "incarnation has 254", "1025"},
		},
		{
			"control characters", Holder{"a\tb", "c\nd", "e\x7f"},
			[]string{"0x09", "0x0a", "0x7f at byte 1", "publish text"},
		},
		{"name not ASCII", Holder{Name: "\u00fc", Incarnation: "i"}, []string{"0xc3"}},
		{"metadata not UTF-8", Holder{Name: "n", Incarnation: "i", Meta: "a\xffb"}, []string{"metadata", "UTF-8", "byte 1"}},
	} {
		t.Run(c.name, func(t *testing.T) { says(t, c.h.Check(), c.want...) })
	}
}

func TestHoldersAreTheSameByNameAndIncarnation(t *testing.T) {
	h := Holder{"n", "i", "m"}
	for _, c := range []struct {
		o    Holder
		want bool
	}{
		{h, true}, {Holder{"n", "i", ""}, true},
		{Holder{"n", "j", "m"}, false}, {Holder{"o", "i", "m"}, false}, {Holder{}, false},
	} {
		if got := h.Is(c.o); got != c.want {
			t.Errorf("%+v.Is(%+v) = %v; want %v", h, c.o, got, c.want)
		}
	}
	if !(Holder{Meta: "m"}).IsZero() || (Holder{Name: "n"}).IsZero() || (Holder{Incarnation: "i"}).IsZero() {
		t.Error("a holder is nobody without name and incarnation, and only then")
	}
	if got := h.String() + " " + (Holder{}).String(); got != "n nobody" {
		t.Errorf("holders are shown as %q; want %q", got, "n nobody")
	}
}

func TestLimitsAreCheckedWithTheLimitNamed(t *testing.T) {
	azure := Limits{MinTTL: 15 * time.Second, MaxTTL: time.Minute, Step: time.Second}
	for _, c := range []struct {
		name string
		l    Limits
		ttl  time.Duration
		want []string
	}{
		{"no limits", Limits{}, 1, nil},
		{"no limits, longest", Limits{}, math.MaxInt64, nil},
		{"zero", Limits{}, 0, []string{"0s is not positive"}},
		{"negative", azure, -time.Second, []string{"-1s is not positive"}},
		{"shortest", azure, 15 * time.Second, nil},
		{"longest", azure, time.Minute, nil},
		{"too short", azure, 14 * time.Second, []string{"14s is less than 15s"}},
		{"too long", azure, 61 * time.Second, []string{"1m1s is more than 1m0s"}},
		{"off the unit", azure, 15500 * time.Millisecond, []string{"15.5s is not a multiple of 1s"}},
	} {
		t.Run(c.name, func(t *testing.T) { says(t, c.l.Check(c.ttl), c.want...) })
	}
}

func TestIncarnationsDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		i := NewIncarnation()
		if seen[i] {
			t.Fatalf("%q was drawn twice", i)
		}
		says(t, Holder{Name: "n", Incarnation: i}.Check())
		seen[i] = true
	}
}

func TestRecordsAreVacantWithoutHolderOrTime(t *testing.T) {
	h := Holder{Name: "n", Incarnation: "i"}
	for _, c := range []struct {
		r    Record
		want bool
	}{
		{Record{}, true},
		{Record{Lease: Lease{Term: 3}, Remaining: -1}, true},
		{Record{Lease: Lease{Holder: h}, Remaining: 0}, true},
		{Record{Lease: Lease{Holder: h}, Remaining: -1}, false},
		{Record{Lease: Lease{Holder: h}, Remaining: time.Second}, false},
	} {
		if got := c.r.Vacant(); got != c.want {
			t.Errorf("%+v.Vacant() = %v; want %v", c.r, got, c.want)
		}
	}
}

func TestRefusalsSayWhatIsKnown(t *testing.T) {
	h := Holder{Name: "node-a", Incarnation: "1"}
	l := Lease{Key: "billing", Holder: h, Term: 7}
	vacant := Record{Lease: Lease{Key: "billing", Term: 8}}
	taken := Record{Lease: Lease{Key: "billing", Holder: Holder{Name: "node-b", Incarnation: "2"}, Term: 9}}
	const byA = `lease: "billing" is held by node-a under term 7`
	for _, c := range []struct {
		err  error
		is   error
		want string
	}{
		{&HeldError{Record{l, 1500 * time.Millisecond}}, ErrHeld, byA + ` for another 1.5s`},
		{&HeldError{Record{l, -1}}, ErrHeld, byA},
		{&LostError{Lease: l}, ErrLost, `lease: lost "billing", term 7`},
		{&LostError{l, vacant}, ErrLost, `lease: lost "billing", term 7: vacant since term 8`},
		{&LostError{l, taken}, ErrLost, `lease: lost "billing", term 7: held by node-b under term 9`},
	} {
		if c.err.Error() != c.want {
			t.Errorf("got %q; want %q", c.err, c.want)
		}
		wrapped := fmt.Errorf("wrapped: %w", c.err)
		if !errors.Is(wrapped, c.is) || errors.Is(wrapped, ErrHeld) == errors.Is(wrapped, ErrLost) {
			t.Errorf("%v: want it to be %v and nothing else", wrapped, c.is)
		}
	}
}

func TestRefusalTellsRefusalsFromUnknownOutcomes(t *testing.T) {
	r := Record{Lease: Lease{Key: "k", Term: 2}, Remaining: time.Second}
	for _, c := range []struct {
		name    string
		err     error
		record  Record
		refused bool
	}{
		{"nil", nil, Record{}, false},
		{"another error", io.EOF, Record{}, false},
		{"held", &HeldError{r}, r, true},
		{"lost, wrapped", fmt.Errorf("x: %w", &LostError{Record: r}), r, true},
		{"bare ErrHeld", ErrHeld, Record{}, true},
		{"bare ErrLost, joined", errors.Join(io.EOF, ErrLost), Record{}, true},
		{"permanent", Permanent(io.EOF), Record{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := Refusal(c.err); got != c.record || ok != c.refused {
				t.Errorf("Refusal(%v) = %+v, %v; want %+v, %v", c.err, got, ok, c.record, c.refused)
			}
		})
	}
}

func TestPermanentMarksAndKeepsAnError(t *testing.T) {
	if Permanent(nil) != nil {
		t.Error("Permanent(nil) is not nil")
	}
	err := fmt.Errorf("x: %w", Permanent(io.EOF))
	if !errors.Is(err, ErrPermanent) || !errors.Is(err, io.EOF) || err.Error() != "x: EOF" {
		t.Errorf("%v: want it to be ErrPermanent and EOF, and to say x: EOF", err)
	}
	if errors.Is(fmt.Errorf("x: %w", io.EOF), ErrPermanent) {
		t.Error("an error that was not marked is permanent")
	}
}

func TestTermsAreShownInDecimal(t *testing.T) {
	if got := Term(math.MaxUint64).String(); got != "18446744073709551615" {
		t.Errorf("got %s", got)
	}
}
