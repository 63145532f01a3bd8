package lease

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

const (
	// MaxKey is the longest key, in bytes.
	MaxKey = 253
	// MaxName is the longest holder name and the longest incarnation, in bytes.
	MaxName = 253
	// MaxMeta is the longest metadata of a holder, in bytes.
	MaxMeta = 1024
)

// CheckKey returns an error that names the fault if key cannot be the key of a lease: it has 1 to [MaxKey] bytes, all
// printable ASCII.
func CheckKey(key string) error { return checkText("key", key, 1, MaxKey) }

// Check returns an error that names every fault if h cannot hold a lease: its name and its incarnation have 1 to
// [MaxName] bytes of printable ASCII, its metadata at most [MaxMeta] bytes of UTF-8 without control characters.
func (h Holder) Check() error {
	var meta error
	if len(h.Meta) > MaxMeta {
		meta = fmt.Errorf("lease: metadata has %d bytes; at most %d are published", len(h.Meta), MaxMeta)
	}
	for i := 0; i < len(h.Meta) && meta == nil; {
		r, size := utf8.DecodeRuneInString(h.Meta[i:])
		switch {
		case r < 0x20 || r == 0x7f:
			meta = fmt.Errorf("lease: metadata has the control character %#02x at byte %d; publish text", r, i)
		case r == utf8.RuneError && size == 1:
			meta = fmt.Errorf("lease: metadata is not UTF-8 at byte %d (%#02x); publish text", i, h.Meta[i])
		}
		i += size
	}
	return errors.Join(checkText("name", h.Name, 1, MaxName), checkText("incarnation", h.Incarnation, 1, MaxName), meta)
}

// Check returns an error that names the limit if a lease of length ttl cannot be had from this store.
func (l Limits) Check(ttl time.Duration) error {
	switch {
	case ttl <= 0:
		return fmt.Errorf("lease: TTL %v is not positive", ttl)
	case ttl < l.MinTTL:
		return fmt.Errorf("lease: TTL %v is less than %v, the shortest this store can carry", ttl, l.MinTTL)
	case l.MaxTTL > 0 && ttl > l.MaxTTL:
		return fmt.Errorf("lease: TTL %v is more than %v, the longest this store grants", ttl, l.MaxTTL)
	case l.Step > 0 && ttl%l.Step != 0:
		return fmt.Errorf("lease: TTL %v is not a multiple of %v, the unit this store counts in", ttl, l.Step)
	}
	return nil
}

// NewIncarnation draws an incarnation: 26 characters, 128 random bits.
func NewIncarnation() string { return rand.Text() }

func checkText(what, s string, least, most int) error {
	if len(s) < least || len(s) > most {
		return fmt.Errorf("lease: %s has %d bytes; %d to %d are allowed", what, len(s), least, most)
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return fmt.Errorf("lease: %s %q has the byte %#02x at position %d; printable ASCII only", what, s, s[i], i)
		}
	}
	return nil
}
