package lease_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-tenure/tenure/lease"
)

func ExampleCheckKey() {
	fmt.Println(lease.CheckKey("billing/eu west"))
	fmt.Println(lease.CheckKey("billing\n"))
	// Output:
	// <nil>
	// lease: key "billing\n" has the byte 0x0a at position 7; printable ASCII only
}

func ExampleHolder_Check() {
	fmt.Println(lease.Holder{Name: "node-a"}.Check())
	fmt.Println(lease.Holder{Name: "node-a", Incarnation: lease.NewIncarnation(), Meta: "http://10.0.0.1:8080"}.Check())
	// Output:
	// lease: incarnation has 0 bytes; 1 to 253 are allowed
	// <nil>
}

func ExampleLimits_Check() {
	blob := lease.Limits{MinTTL: 15 * time.Second, MaxTTL: time.Minute, Step: time.Second}
	fmt.Println(blob.Check(10 * time.Second))
	// Output:
	// lease: TTL 10s is less than 15s, the shortest this store can carry
}

func ExampleRefusal() {
	held := lease.Record{
		Lease:     lease.Lease{Key: "billing", Holder: lease.Holder{Name: "node-b", Incarnation: "1"}, Term: 7},
		Remaining: 4 * time.Second,
	}
	for _, err := range []error{&lease.HeldError{Record: held}, errors.New("connection reset")} {
		if r, refused := lease.Refusal(err); refused {
			fmt.Println("stand again in", r.Remaining, "- the leader is", r.Holder)
		} else {
			fmt.Println("outcome unknown:", err)
		}
	}
	// Output:
	// stand again in 4s - the leader is node-b
	// outcome unknown: connection reset
}

func ExamplePermanent() {
	err := lease.Permanent(errors.New(`lease: table "leases" does not exist; create it`))
	fmt.Println(errors.Is(err, lease.ErrPermanent))
	fmt.Println(err)
	// Output:
	// true
	// lease: table "leases" does not exist; create it
}
