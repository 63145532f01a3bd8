//go:build linux

package servers

import (
	"context"
	"strings"
	"testing"
	"time"
)

// An etcd says that it is healthy only while it reaches most of the others.
func TestAMemberThatIsCutOffFromItsPeersAnswersClientsAndComesBack(t *testing.T) {
	c := TestCluster(t, 3, func(i int, peers []string) Spec { return EtcdMember(i, peers) })
	healthy := func(i int) bool {
		once, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return etcdReady(once, c.Members[i].Instance) == nil
	}
	c.Cut(0)
	eventually(t, "the member that is cut off is on its own", func() bool { return !healthy(0) })
	text, err := get(t.Context(), c.Members[0].Instance, 0, "/version")
	if err != nil || !strings.Contains(text, etcdVersion) {
		t.Errorf("%s, %v; clients should still reach it", text, err)
	}
	eventually(t, "the others do without it", func() bool { return healthy(1) && healthy(2) })
	if healthy(0) {
		t.Error("it is back though it is cut off")
	}
	c.Heal(0)
	eventually(t, "it is back", func() bool { return healthy(0) })
	c.Members[1].Kill()
	eventually(t, "two go on without the third", func() bool { return healthy(0) && healthy(2) })
	if err := c.Members[1].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAClusterThatDoesNotStartSaysWhyAndLeavesNothing(t *testing.T) {
	_, err := StartCluster(t.Context(), 2, func(int, []string) Spec {
		return Spec{Name: "broken", Ports: 2, Ready: func(context.Context, Instance) error { return context.Canceled },
			Command: func(Instance) ([]string, error) { return []string{"/bin/sh", "-c", "echo it is broken; exit 1"}, nil }}
	})
	if err == nil || !strings.Contains(err.Error(), "it is broken") {
		t.Errorf("StartCluster = %v; want what the server printed", err)
	}
}
