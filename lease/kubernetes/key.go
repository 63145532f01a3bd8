package kubernetes

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"
)

// subdomain is what the server takes for the name of a Lease, apart from its length.
var subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// derived is the shape of the names that LeaseName makes.
var derived = regexp.MustCompile(`^([-a-z0-9]{1,40}\.)?tenure-[a-z2-7]{52}$`)

// LeaseName returns the name of the Lease that holds key. A key that can be a name is its own name, so that an
// election that client-go has held goes on under its name: such are lower-case letters, digits, - and ., with a
// letter or digit at the ends and on both sides of each dot. Any other key gets a name of the form WORDS.tenure-HASH,
// where WORDS remind of the key and HASH stands for it; no two keys share a name.
func LeaseName(key string) string {
	if len(key) <= 253 && subdomain.MatchString(key) && !derived.MatchString(key) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	name := "tenure-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:]))
	if words := words(key); words != "" {
		name = words + "." + name
	}
	return name
}

// words keeps the letters and digits of key, the first 40 at most, with a dash for what stands between them.
func words(key string) string {
	s := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(key))
	s = strings.Trim(s, "-")
	return strings.TrimRight(s[:min(len(s), 40)], "-")
}
