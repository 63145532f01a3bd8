package register

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-tenure/tenure/lease"
)

const (
	// Format is the number of the encoding that Encode writes and Decode reads. It changes with every change of
	// fields.
	Format = 1
	// MaxSize is the longest record, in bytes, that Decode looks at. Records are a few hundred bytes long; only
	// metadata makes them longer.
	MaxSize = 8 << 10
	// MaxTTL is the longest lease. A record that claims more is refused as damaged, since it would block its key for
	// good.
	MaxTTL = 30 * 24 * time.Hour
	// MaxTerm is the greatest term: what every reader of JSON can carry exactly. At a million acquisitions a second
	// it is reached after 285 years.
	MaxTerm lease.Term = 1 << 53
)

// Body is what a register keeps for a key. The zero Body means that there is no record. It is comparable.
type Body struct {
	Holder lease.Holder  // zero: released; the record is there for its term
	Term   lease.Term    // the last term that was granted; at least 1 in a record
	Seq    uint64        // counts the writes of one term
	TTL    time.Duration // how long Holder may count on it from before it sent this; zero if there is no holder
	Nonce  string        // drawn for each call, by which a caller recognises its own write
	Domain string        // names the shared clock that At was read from; "" if there is none
	At     time.Duration // when this was written, on that clock; read after the holder began its call
}

type wire struct {
	Format      int        `json:"tenure"`
	Key         string     `json:"key"`
	Holder      string     `json:"holder,omitempty"`
	Incarnation string     `json:"incarnation,omitempty"`
	Meta        string     `json:"meta,omitempty"`
	Term        lease.Term `json:"term"`
	Seq         uint64     `json:"seq,omitempty"`
	TTL         string     `json:"ttl,omitempty"`
	Nonce       string     `json:"nonce,omitempty"`
	Domain      string     `json:"clock,omitempty"`
	At          string     `json:"at,omitempty"`
}

// Encode returns b, the record of key, as one line of JSON. Equal arguments give equal bytes. It does not
// check b; a Manager writes only what Decode accepts.
func Encode(key string, b Body) []byte {
	w := wire{
		Format: Format, Key: key, Holder: b.Holder.Name, Incarnation: b.Holder.Incarnation,
		Meta: b.Holder.Meta, Term: b.Term, Seq: b.Seq, Nonce: b.Nonce,
	}
	if b.TTL != 0 {
		w.TTL = b.TTL.String()
	}
	if b.Domain != "" {
		w.Domain, w.At = b.Domain, b.At.String()
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(w); err != nil {
		panic(err) // strings and numbers only: cannot fail
	}
	return buf.Bytes()
}

// Decode reads the record of key. What it is given is foreign data: a record that is damaged, oversized, of another
// key or of an unknown format is an error marked [lease.ErrPermanent] that names the fault and what to do about it.
func Decode(key string, value []byte) (Body, error) {
	b, err := decode(key, value)
	if err == nil {
		return b, nil
	}
	remedy := fmt.Sprintf(`once nobody leads, write {"tenure":%d,"key":%q,"term":N} in its place, `+
		"N being no less than its last term", Format, key)
	var newer formatError
	if errors.As(err, &newer) {
		remedy = "upgrade this program to the version that wrote it"
	}
	return Body{}, lease.Permanent(fmt.Errorf("the record of %q is unusable: %w; %s", key, err, remedy))
}

// Formats that come after ours are written by later versions; ours and those before are not.
type formatError int

func (e formatError) Error() string {
	return fmt.Sprintf("its format is %d and this program knows %d", int(e), Format)
}

func decode(key string, value []byte) (Body, error) {
	switch {
	case len(value) > MaxSize:
		return Body{}, fmt.Errorf("it is longer than %d bytes", MaxSize)
	case len(bytes.TrimSpace(value)) == 0:
		return Body{}, errors.New("it is empty")
	}
	// The format comes first: a later one may have fields that this program does not know.
	var head struct {
		Format *int `json:"tenure"`
	}
	if err := json.Unmarshal(value, &head); err != nil {
		return Body{}, fmt.Errorf("it is not the JSON of a lease (%w)", err)
	}
	switch {
	case head.Format == nil:
		return Body{}, errors.New(`it is not a lease (no field "tenure")`)
	case *head.Format > Format:
		return Body{}, formatError(*head.Format)
	case *head.Format != Format:
		return Body{}, fmt.Errorf("its format %d does not exist", *head.Format)
	}
	var w wire
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return Body{}, fmt.Errorf("it is not the JSON of a lease (%w)", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Body{}, errors.New("something follows the JSON")
	}
	return w.body(key)
}

func (w wire) body(key string) (Body, error) {
	b := Body{
		Holder: lease.Holder{Name: w.Holder, Incarnation: w.Incarnation, Meta: w.Meta},
		Term:   w.Term, Seq: w.Seq, Nonce: w.Nonce, Domain: w.Domain,
	}
	switch {
	case w.Key != key:
		return Body{}, fmt.Errorf("it belongs to the key %.60q", w.Key)
	case w.Term == 0 || w.Term > MaxTerm:
		return Body{}, fmt.Errorf("its term %d is not in 1 to %d", w.Term, MaxTerm)
	case len(w.Nonce) > lease.MaxName || len(w.Domain) > lease.MaxName:
		return Body{}, fmt.Errorf("its nonce or its clock is longer than %d bytes", lease.MaxName)
	case (w.Domain == "") != (w.At == ""):
		return Body{}, errors.New("it has only one of clock and at")
	}
	if b.Holder == (lease.Holder{}) {
		if w.TTL != "" || w.Domain != "" {
			return Body{}, errors.New("it has no holder, but a ttl or a clock")
		}
		return b, nil
	}
	if err := b.Holder.Check(); err != nil {
		return Body{}, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	var err error
	if b.TTL, err = time.ParseDuration(w.TTL); err != nil || b.TTL <= 0 || b.TTL > MaxTTL {
		return Body{}, fmt.Errorf("its ttl %.40q is not a duration of more than 0 and at most %v", w.TTL, MaxTTL)
	}
	if w.At != "" {
		if b.At, err = time.ParseDuration(w.At); err != nil || b.At < 0 {
			return Body{}, fmt.Errorf("its at %.40q is not a duration of 0 or more", w.At)
		}
	}
	return b, nil
}
