//go:build linux

package servers

import "testing"

func TestAzuriteStartsAndComesBackAfterAKill(t *testing.T) {
	s := Test(t, Azurite())
	if err := azuriteReady(t.Context(), s.Instance); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := azuriteReady(t.Context(), s.Instance); err == nil {
		t.Fatal("a server that was killed answers")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}
