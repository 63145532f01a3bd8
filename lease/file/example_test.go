package file_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/file"
)

func Example() {
	parent, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(parent) }()
	m, err := file.New(file.Config{Dir: filepath.Join(parent, "leases"), Create: true})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	alice := lease.Holder{Name: "alice", Incarnation: lease.NewIncarnation()}
	bob := lease.Holder{Name: "bob", Incarnation: lease.NewIncarnation()}

	l, err := m.Acquire(ctx, "billing", alice, time.Minute)
	fmt.Println(l.Holder, l.Term, err)
	_, err = m.Acquire(ctx, "billing", bob, time.Minute)
	record, refused := lease.Refusal(err)
	fmt.Println(refused, record.Holder, record.Remaining > 0)
	fmt.Println(m.Renew(ctx, l, time.Minute), m.Release(ctx, l))
	l, err = m.Acquire(ctx, "billing", bob, time.Minute)
	fmt.Println(l.Holder, l.Term, err)
	// Output:
	// alice 1 <nil>
	// true alice true
	// <nil> <nil>
	// bob 2 <nil>
}

func ExampleNew() {
	_, err := file.New(file.Config{Dir: "/no/such/directory"})
	fmt.Println(strings.ReplaceAll(err.Error(), ": ", ":\n"))
	// Output:
	// the lease directory /no/such/directory does not exist; create it, private to the user who runs this:
	// stat /no/such/directory:
	// no such file or directory
}

func ExampleManager_watch() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	m, err := file.New(file.Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	told := make(chan lease.Record)
	stop, err := m.Watch("billing", func(r lease.Record) { told <- r })
	if err != nil {
		panic(err)
	}
	ctx, alice := context.Background(), lease.Holder{Name: "alice", Incarnation: lease.NewIncarnation()}
	l, err := m.Acquire(ctx, "billing", alice, time.Minute)
	fmt.Println((<-told).Holder, err)
	err = m.Release(ctx, l)
	fmt.Println((<-told).Holder, err)
	stop()
	// Output:
	// alice <nil>
	// nobody <nil>
}
