package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxName is the longest name behind the prefix. Servers that keep objects as files take 255 bytes.
const maxName = 200

// name returns the name of the object of key behind the prefix: distinct for distinct keys even where upper and lower
// case are one, without slashes or leading dots, and with nothing that must be escaped in a URL but the percent sign.
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
