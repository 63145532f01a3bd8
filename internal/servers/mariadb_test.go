//go:build linux

package servers

import "testing"

func TestMariaDBStartsAndComesBackAfterAKill(t *testing.T) {
	s := Test(t, MariaDB())
	if err := greets(t.Context(), s.Instance); err != nil {
		t.Fatal(err)
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := greets(t.Context(), s.Instance); err == nil {
		t.Fatal("a server that was killed greets")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := greets(t.Context(), s.Instance); err != nil {
		t.Fatal(err)
	}
}
