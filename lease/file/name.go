package file

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// The longest name without its ending. Some file systems take no more than 143 bytes.
const maxName = 128

// name returns the name of the files of key, without their ending: distinct for distinct keys even where upper and
// lower case are one, and never a name that means something to a system (a leading dot, "nul", a trailing dot).
func name(key string) string {
	var b strings.Builder
	b.WriteString("k-")
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
			b.WriteByte(c)
		default:
			const digits = "0123456789abcdef"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	if b.Len() <= maxName {
		return b.String()
	}
	sum := sha256.Sum256([]byte(key))
	return "h-" + hex.EncodeToString(sum[:])
}

// keyOf is the inverse of name. It reports false for a name that is none, and for a hash, which does not tell.
func keyOf(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "k-")
	if !ok {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		if rest[i] != '%' {
			b.WriteByte(rest[i])
			continue
		}
		if i+2 >= len(rest) {
			return "", false
		}
		c, err := hex.DecodeString(rest[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	return b.String(), true
}
