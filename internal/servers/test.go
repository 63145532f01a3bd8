//go:build linux

package servers

import "context"

// TB is what is needed of a test. *testing.T, *testing.B and leasetest.TB have it.
type TB interface {
	Context() context.Context
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Test starts a server for the length of a test. A server that does not start fails the test.
func Test(t TB, spec Spec) *Server {
	t.Helper()
	s, err := Start(t.Context(), spec)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if f, ok := t.(interface{ Failed() bool }); ok && f.Failed() {
			t.Logf("%s printed:\n%s", spec.Name, s.Log())
		}
		if err := s.Close(); err != nil {
			t.Logf("%s: %v", spec.Name, err)
		}
	})
	return s
}

// TestProxy puts a proxy before a server for the length of a test.
func TestProxy(t TB, target string) *Proxy {
	t.Helper()
	p, err := NewProxy(target)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(p.Close)
	return p
}
