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
