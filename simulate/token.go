package simulate

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

// tokenPrefix tells a token of this version from others.
const tokenPrefix = "t1:"

// Token returns s in one word to paste into an issue or a command line; [ParseToken] reads it.
func (s Scenario) Token() string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = io.WriteString(w, s.String())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything, and the level is a constant
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b.Bytes())
}

// ParseToken reads what Token wrote. A token of another version, a damaged one and one that is no token are each told
// apart.
func ParseToken(token string) (Scenario, error) {
	body, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		version, _, colon := strings.Cut(token, ":")
		if colon && len(version) < 5 {
			return Scenario{}, fmt.Errorf("simulate: the token is of version %q, this is %q; replay it with its release",
				version, strings.TrimSuffix(tokenPrefix, ":"))
		}
		return Scenario{}, fmt.Errorf("simulate: %.20q is no token; tokens begin with %q", token, tokenPrefix)
	}
	packed, err := base64.RawURLEncoding.DecodeString(body)
	if err == nil {
		var script []byte
		r := flate.NewReader(bytes.NewReader(packed))
		if script, err = io.ReadAll(io.LimitReader(r, 1<<20)); err == nil {
			return Parse(bytes.NewReader(script))
		}
	}
	return Scenario{}, fmt.Errorf("simulate: the token is damaged (%w); copy it again, whole", err)
}
