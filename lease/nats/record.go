package nats

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
	format = 1
	// maxSize is the longest message that is looked at, in bytes.
	maxSize = 8 << 10
	// maxTerm is what every reader of JSON can carry exactly. A term is about the microseconds since 1970: it is reached
	// in 2255.
	maxTerm = 1 << 53
)

// message is what is written for a key, as JSON.
type message struct {
	Format int    `json:"tenure"`
	Key    string `json:"key"`
	// Term is zero in the message that begins a term: the term is Epoch and the sequence of the message.
	Term        uint64 `json:"term,omitempty"`
	Epoch       uint64 `json:"epoch,omitempty"`
	Nonce       string `json:"nonce,omitempty"`
	Holder      string `json:"holder,omitempty"`
	Incarnation string `json:"incarnation,omitempty"`
	Meta        string `json:"meta,omitempty"`
	TTL         string `json:"ttl,omitempty"`
}

// sight is what the bucket has of a key. Its holder is zero if nobody holds the key.
type sight struct {
	lease.Lease
	ttl   time.Duration
	nonce string
	seq   uint64    // of the last message of the key, which the next has to name; 0 if there is none
	at    time.Time // when the server wrote it, by its clock
	// endless is set if the message has no time to live. Only tools write such; the holder's next renewal mends it.
	endless bool
}

func (s sight) record(remaining time.Duration) lease.Record {
	if s.Holder.IsZero() {
		remaining = 0
	}
	return lease.Record{Lease: s.Lease, Remaining: remaining}
}

func encode(m message) []byte {
	m.Format = format
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		panic(err) // strings and numbers: cannot fail
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// sight reads the last message of a key. over means that it is the end of a lease: ours when it was released, or a note
// of the server. What does not look as if it had been written here is an error marked [lease.ErrPermanent].
func (m *Manager) sight(key string, seq uint64, over bool, text []byte) (sight, error) {
	s := sight{Lease: lease.Lease{Key: key}, seq: seq}
	got, err := decode(key, text)
	if over {
		if err == nil && got.Holder == "" {
			s.Term = lease.Term(got.Term)
		}
		return s, nil
	}
	if err == nil && got.Holder == "" {
		err = errors.New("it has no holder")
	}
	if err == nil {
		s.Holder = lease.Holder{Name: got.Holder, Incarnation: got.Incarnation, Meta: got.Meta}
		s.Term, s.nonce = lease.Term(got.Term), got.Nonce
		s.ttl, err = time.ParseDuration(got.TTL)
		if got.Term == 0 {
			s.Term = lease.Term(got.Epoch + seq)
		}
		switch check := s.Holder.Check(); {
		case check != nil:
			err = errors.New(strings.ReplaceAll(check.Error(), "\n", "; "))
		case err != nil || s.ttl <= 0:
			err = fmt.Errorf("its ttl %.40q is not a duration of more than 0", got.TTL)
		case s.Term > maxTerm:
			err = fmt.Errorf("its term %d is greater than %d", s.Term, uint64(maxTerm))
		}
	}
	if err != nil {
		return sight{seq: seq}, lease.Permanent(fmt.Errorf("what is written under %q in the bucket %s is no lease of this "+
			"library: %w; once nobody leads, remove it: nats kv purge %s '%s'", m.subject(key), m.bucket, err, m.bucket,
			escape(key)))
	}
	return s, nil
}

func decode(key string, text []byte) (message, error) {
	if len(text) > maxSize {
		return message{}, fmt.Errorf("it is longer than %d bytes", maxSize)
	}
	// The format comes first: a later one may have fields that this program does not know.
	var head struct {
		Format *int `json:"tenure"`
	}
	switch err := json.Unmarshal(text, &head); {
	case err != nil:
		return message{}, fmt.Errorf("it is not the JSON of a lease (%w)", err)
	case head.Format == nil:
		return message{}, errors.New(`it has no field "tenure"`)
	case *head.Format != format:
		return message{}, fmt.Errorf("its format is %d and this program knows %d", *head.Format, format)
	}
	var got message
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		return message{}, fmt.Errorf("it is not the JSON of a lease (%w)", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return message{}, errors.New("something follows the JSON")
	}
	switch {
	case got.Key != key:
		return message{}, fmt.Errorf("it belongs to the key %.60q", got.Key)
	case got.Term > maxTerm || got.Epoch > maxTerm || len(got.Nonce) > lease.MaxName:
		return message{}, errors.New("its term, epoch or nonce is too great")
	}
	return got, nil
}
