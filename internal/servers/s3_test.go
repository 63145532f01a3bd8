//go:build linux

package servers

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestServersOfS3AnswerAndComeBack(t *testing.T) {
	for _, spec := range []Spec{VersityGW(), S3rver()} {
		answersAndComesBack(t, spec)
	}
}

// answersAndComesBack fails unless the server speaks S3 before and after it was killed.
func answersAndComesBack(t *testing.T, spec Spec) {
	t.Helper()
	s := Test(t, spec)
	for range 2 {
		r, err := http.Get("http://" + s.Addr() + "/nosuchbucket/nosuchobject")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil || !strings.Contains(string(text), "<Error>") {
			t.Errorf("%s answers %q, %v", spec.Name, text, err)
		}
		http.DefaultClient.CloseIdleConnections()
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
