package simulate

import (
	"context"
	"flag"
	"os"
	"runtime"
	"testing"

	"github.com/go-tenure/tenure/actor"
)

// inTest calls f with a T that is none of the running test's: where there is none, or where f is to fail. It returns
// whether f passed and what the test said. What -run, -skip, -count and -v ask for is for others.
func inTest(name string, f func(t *testing.T)) (ok bool, said string) {
	file, err := os.CreateTemp("", "said")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	out := os.Stdout
	os.Stdout = file
	asked := map[string]string{"test.run": "", "test.skip": "", "test.count": "1", "test.v": "false"}
	swap := func() {
		for name, value := range asked {
			asked[name] = flag.Lookup(name).Value.String()
			if err := flag.Set(name, value); err != nil {
				panic(err)
			}
		}
	}
	swap()
	procs, done := runtime.GOMAXPROCS(0), false // -cpu asks for several runs
	all := func(string, string) (bool, error) { return true, nil }
	ok = testing.RunTests(all, []testing.InternalTest{{Name: name, F: func(t *testing.T) {
		runtime.GOMAXPROCS(procs)
		if !done {
			done = true
			f(t)
		}
	}}})
	runtime.GOMAXPROCS(procs)
	swap()
	os.Stdout = out
	_ = file.Close()
	text, err := os.ReadFile(file.Name())
	if err != nil {
		panic(err)
	}
	return ok, string(text)
}

// idle is work that leads and does nothing.
func idle(w *World) {
	w.Lead("billing", func(ctx context.Context, _ *actor.Tenure) error {
		<-ctx.Done()
		return nil
	})
}

// InTest is inTest for the examples.
var InTest = inTest
