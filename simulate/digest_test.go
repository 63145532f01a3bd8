package simulate

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the digests that are expected")

// A digest is a hash of everything that happened in a schedule. These hundred are the same on every machine, for any
// number of processors, with the race detector and without. They change when the election or the simulator changes:
// then look at why, and write down the new ones with -update.
func TestDigestsAreTheSameOnEveryMachine(t *testing.T) {
	var b strings.Builder
	for _, c := range []Campaign{
		{Base: Scenario{Nodes: 5}, Seeds: 60},
		{Base: Scenario{Nodes: 4, Store: Register}, First: 1 << 32, Seeds: 40},
	} {
		r, err := c.Run()
		if err != nil {
			t.Fatal(err)
		}
		var all uint64
		for i := range c.Seeds {
			trace, err := Play(Plan(c.Base, c.First+uint64(i)))
			if err != nil {
				t.Fatal(err)
			}
			all = all*0x9e3779b97f4a7c15 + trace.Digest
			fmt.Fprintf(&b, "%v %d %016x\n", c.Base.Store, c.First+uint64(i), trace.Digest)
		}
		if r.Digest != all {
			t.Errorf("a campaign, which keeps no trace, has digest %x; with traces it is %x", r.Digest, all)
		}
	}
	path := filepath.Join("testdata", "digests.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.SplitAfter(string(want), "\n") {
		if got := strings.SplitAfter(b.String(), "\n"); i >= len(got) || got[i] != line {
			t.Fatalf("line %d of %s reads %q; if what happens in that schedule was meant to change, write it with -update",
				i+1, path, line)
		}
	}
}
