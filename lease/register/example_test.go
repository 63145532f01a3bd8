package register_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// mapRegister is the smallest register there is. Real ones are as short: an object store passes the version on as
// If-Match and returns ErrConflict for 412.
type mapRegister struct {
	mu      sync.Mutex
	records map[string]record
	changed func()
}

type record struct {
	value   []byte
	version int
}

func (r *mapRegister) Load(_ context.Context, key string) ([]byte, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	got, ok := r.records[key]
	if !ok {
		return nil, "", nil
	}
	return got.value, strconv.Itoa(got.version), nil
}

func (r *mapRegister) Store(_ context.Context, key string, value []byte, version string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	got, ok := r.records[key]
	if ok && strconv.Itoa(got.version) != version || !ok && version != "" {
		return "", register.ErrConflict
	}
	r.records[key] = record{value, got.version + 1}
	return strconv.Itoa(got.version + 1), nil
}

// Notify makes it a Notifier. This one knows one watch only, and is told by hand.
func (r *mapRegister) Notify(_ string, changed func()) (func(), error) {
	r.changed = changed
	changed()
	return func() { r.changed = func() {} }, nil
}

func Example() {
	ctx, clk := context.Background(), clock.NewMock()
	m, err := register.New(register.Config{Register: &mapRegister{records: map[string]record{}}, Clock: clk})
	if err != nil {
		panic(err)
	}
	alice := lease.Holder{Name: "alice", Incarnation: lease.NewIncarnation()}
	bob := lease.Holder{Name: "bob", Incarnation: lease.NewIncarnation()}

	l, err := m.Acquire(ctx, "billing", alice, 10*time.Second)
	fmt.Println(l.Holder, l.Term, err)
	_, err = m.Acquire(ctx, "billing", bob, 10*time.Second)
	fmt.Println(err)
	clk.Add(11 * time.Second) // alice does not renew
	l, err = m.Acquire(ctx, "billing", bob, 10*time.Second)
	fmt.Println(l.Holder, l.Term, err)
	fmt.Println(m.Release(ctx, l))
	r, err := m.Read(ctx, "billing")
	fmt.Println(r.Holder, r.Term, err)
	// Output:
	// alice 1 <nil>
	// lease: "billing" is held by alice under term 1 for another 10.1s
	// bob 2 <nil>
	// <nil>
	// nobody 2 <nil>
}

func ExampleEncode() {
	fmt.Print(string(register.Encode("billing", register.Body{
		Holder: lease.Holder{Name: "alice", Incarnation: "7QK3"},
		Term:   42, Seq: 7, TTL: 15 * time.Second, Nonce: "4JX2-7",
	})))
	fmt.Print(string(register.Encode("billing", register.Body{Term: 42, Seq: 8, Nonce: "4JX2-8"})))
	// Output:
	// {"tenure":1,"key":"billing","holder":"alice","incarnation":"7QK3","term":42,"seq":7,"ttl":"15s","nonce":"4JX2-7"}
	// {"tenure":1,"key":"billing","term":42,"seq":8,"nonce":"4JX2-8"}
}

func ExampleDecode() {
	b, err := register.Decode("billing", []byte(`{"tenure":1,"key":"billing","term":42}`))
	fmt.Println(b.Holder, b.Term, err)
	_, err = register.Decode("billing", []byte(`{"tenure":1,"key":"billing"}`))
	fmt.Println(strings.NewReplacer(": its", ":\nits", "; ", ";\n", ", N", ",\nN").Replace(err.Error()))
	// Output:
	// nobody 42 <nil>
	// the record of "billing" is unusable:
	// its term 0 is not in 1 to 9007199254740992;
	// once nobody leads, write {"tenure":1,"key":"billing","term":N} in its place,
	// N being no less than its last term
}

// A decision without any store: what a contender does with a lease that it has seen for nine seconds, and for eleven.
func ExampleCall_Next() {
	alice := lease.Holder{Name: "alice", Incarnation: "1"}
	bob := lease.Holder{Name: "bob", Incarnation: "1"}
	seen := register.Sight{Version: "v1", Body: register.Body{Holder: alice, Term: 4, TTL: 10 * time.Second}}
	call := register.Call{Op: register.Acquire, Holder: bob, TTL: 10 * time.Second, Nonce: "n", Drift: 0.01}
	for _, now := range []time.Duration{9 * time.Second, 11 * time.Second} {
		_, move := call.Next(seen, register.Now{Local: now})
		fmt.Printf("%t %v %d %q\n", move.Step == register.Refused, move.Body.Holder, move.Body.Term, move.Version)
	}
	// Output:
	// true nobody 0 ""
	// false bob 5 "v1"
}

func ExampleNewWatcher() {
	r := &mapRegister{records: map[string]record{}}
	w, err := register.NewWatcher(register.Config{Register: r})
	if err != nil {
		panic(err)
	}
	stop, err := w.Watch("billing", func(r lease.Record) { fmt.Println(r.Holder, r.Term) })
	if err != nil {
		panic(err)
	}
	defer stop()
	l, _ := w.Acquire(context.Background(), "billing", lease.Holder{Name: "alice", Incarnation: "1"}, time.Minute)
	r.changed()
	_ = w.Release(context.Background(), l)
	r.changed()
	// Output:
	// alice 1
	// nobody 1
}
