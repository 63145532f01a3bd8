//go:build linux

package servers

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestPostgresIsStartedKilledAndComesBack(t *testing.T) {
	s := Test(t, Postgres("max_connections = 20"))
	pooler := Test(t, PgBouncer(s.Addr()))
	through := Instance{Ports: pooler.Ports}
	for what, i := range map[string]Instance{"the server": s.Instance, "the pooler": through} {
		if err := postgresReady(t.Context(), i); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	pids := tree(s.Pid())
	if len(pids) < 3 {
		t.Errorf("processes %v; the server has some of its own", pids)
	}
	s.Kill()
	if i := slices.IndexFunc(pids, runs); i >= 0 {
		t.Errorf("process %d of %v runs after a kill", pids[i], pids)
	}
	if err := postgresReady(t.Context(), s.Instance); err == nil {
		t.Error("it answers after a kill")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pooler reaches it again", func() bool { return postgresReady(t.Context(), through) == nil })
	if found, _ := filepath.Glob(filepath.Join(s.Dir, "PG_VERSION")); len(found) != 1 {
		t.Errorf("no data in %s", s.Dir)
	}
}
