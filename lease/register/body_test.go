package register

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
)

func TestARecordReadsBackAsItWasWritten(t *testing.T) {
	for name, b := range map[string]Body{
		"released": {Term: 7, Seq: 3, Nonce: "n-1"},
		"held":     {Holder: alice, Term: 1, TTL: ttl, Nonce: "n-1"},
		"on a shared clock": {Holder: alice, Term: 1, Seq: 9, TTL: time.Nanosecond, Nonce: "n", Domain: "boot",
			At: 123456 * time.Hour},
		"at the start of a clock": {Holder: alice, Term: MaxTerm, TTL: MaxTTL, Domain: "boot"},
		"full": {Term: 1, TTL: ttl, Holder: lease.Holder{Name: strings.Repeat(`"`, lease.MaxName),
			Incarnation: strings.Repeat(`\`, lease.MaxName), Meta: strings.Repeat(`"`, lease.MaxMeta)}},
	} {
		t.Run(name, func(t *testing.T) {
			value := Encode(key, b)
			if got, err := Decode(key, value); err != nil || got != b {
				t.Fatalf("%s reads back as %+v, %v", value, got, err)
			}
		})
	}
}

var damaged = map[string]string{
	"empty":                 "",
	"blank":                 " \n",
	"half written":          `{"tenure":1,"key":"billing","ter`,
	"no JSON":               "leader=alice",
	"a list":                `[1]`,
	"null":                  `null`,
	"something else":        `{"hello":"world"}`,
	"format 0":              `{"tenure":0,"key":"billing","term":1}`,
	"a later format":        `{"tenure":2,"key":"billing","term":1,"quorum":3}`,
	"an unknown field":      `{"tenure":1,"key":"billing","term":1,"tll":"1s"}`,
	"another key":           `{"tenure":1,"key":"other","term":1}`,
	"no term":               `{"tenure":1,"key":"billing"}`,
	"term 0":                `{"tenure":1,"key":"billing","term":0}`,
	"a negative term":       `{"tenure":1,"key":"billing","term":-1}`,
	"an absurd term":        `{"tenure":1,"key":"billing","term":9007199254740993}`,
	"a huge term":           `{"tenure":1,"key":"billing","term":99999999999999999999999}`,
	"two records":           `{"tenure":1,"key":"billing","term":1} {}`,
	"a ttl without holder":  `{"tenure":1,"key":"billing","term":1,"ttl":"1s"}`,
	"no incarnation":        `{"tenure":1,"key":"billing","term":1,"holder":"a","ttl":"1s"}`,
	"no name":               `{"tenure":1,"key":"billing","term":1,"incarnation":"a","ttl":"1s"}`,
	"only metadata":         `{"tenure":1,"key":"billing","term":1,"meta":"a"}`,
	"a name with a newline": `{"tenure":1,"key":"billing","term":1,"holder":"a\nb","incarnation":"1","ttl":"1s"}`,
	"no ttl":                `{"tenure":1,"key":"billing","term":1,"holder":"a","incarnation":"1"}`,
	"ttl 0":                 `{"tenure":1,"key":"billing","term":1,"holder":"a","incarnation":"1","ttl":"0s"}`,
	"a negative ttl":        `{"tenure":1,"key":"billing","term":1,"holder":"a","incarnation":"1","ttl":"-1s"}`,
	"an absurd ttl":         `{"tenure":1,"key":"billing","term":1,"holder":"a","incarnation":"1","ttl":"99999h"}`,
	"a ttl without unit":    `{"tenure":1,"key":"billing","term":1,"holder":"a","incarnation":"1","ttl":"15"}`,
	"a clock without at": `{"tenure":1,"key":"billing","term":1,"holder":"a","incarnation":"1","ttl":"1s",` +
		`"clock":"b"}`,
	"a negative at": `{"tenure":1,"key":"billing","term":1,"holder":"a","incarnation":"1","ttl":"1s","clock":"b",` +
		`"at":"-1s"}`,
	"a long nonce": `{"tenure":1,"key":"billing","term":1,"nonce":"` + strings.Repeat("n", 254) + `"}`,
	"oversized":    `{"tenure":1,"key":"billing","term":1}` + strings.Repeat(" ", MaxSize),
}

func TestADamagedRecordIsAnErrorWithARemedyNeverALease(t *testing.T) {
	for name, value := range damaged {
		t.Run(name, func(t *testing.T) {
			b, err := Decode(key, []byte(value))
			if b != (Body{}) || !errors.Is(err, lease.ErrPermanent) {
				t.Fatalf("it decodes to %+v, %v", b, err)
			}
			text := err.Error()
			remedy := strings.Contains(text, "write {") || strings.Contains(text, "upgrade")
			if !strings.Contains(text, key) || !remedy {
				t.Errorf("the key or the remedy is missing in: %s", text)
			}
			if strings.Contains(text, "\n") || len(text) > 400 {
				t.Errorf("it is no short line: %s", text)
			}
		})
	}
}

func TestTheRecordThatTheRemedyAsksForIsAccepted(t *testing.T) {
	b, err := Decode(key, []byte(`{"tenure":1,"key":"billing","term":41}`))
	if err != nil || b != (Body{Term: 41}) {
		t.Fatalf("%+v, %v", b, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, value := range damaged {
		f.Add([]byte(value))
	}
	f.Add(Encode(key, Body{Holder: alice, Term: 5, Seq: 2, TTL: ttl, Nonce: "x-1", Domain: "boot", At: time.Hour}))
	f.Add(Encode(key, Body{Term: 5, Seq: 2, Nonce: "x-1"}))
	f.Fuzz(func(t *testing.T, value []byte) {
		b, err := Decode(key, value)
		if err != nil {
			if b != (Body{}) || !errors.Is(err, lease.ErrPermanent) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%+v, %q", b, err)
			}
			return
		}
		if b.Term == 0 || b.Term > MaxTerm || b.Holder.IsZero() != (b.TTL == 0) || b.TTL < 0 || b.TTL > MaxTTL ||
			b.At < 0 {
			t.Fatalf("accepted %+v", b)
		}
		again, err := Decode(key, Encode(key, b))
		if err != nil || again != b {
			t.Fatalf("%+v was written and read back as %+v, %v", b, again, err)
		}
		left := Sight{Version: "1", Body: b}.Remaining(Now{Local: time.Hour, Domain: b.Domain, Shared: time.Hour}, 0.01)
		if left < 0 || left > b.TTL+b.TTL/50+time.Nanosecond {
			t.Fatalf("%v remain of %v", left, b.TTL)
		}
	})
}
