//go:build unix

package control_test

import (
	"context"
	"fmt"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/control"
)

func ExampleAsk() {
	s, err := control.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.Serve(func(r control.Request) control.Answer { return control.Answer{Leading: r.Key == "billing", Term: 7} })
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, err := control.Ask(ctx, s.Path(), control.Request{Ask: control.Check, Key: "billing"})
	fmt.Println(a.Leading, a.Term, err)
	s.Close()
	<-served
	_, err = control.Ask(ctx, s.Path(), control.Request{Ask: control.Check, Key: "billing"})
	fmt.Println("afterwards nobody answers:", err != nil)
	// Output:
	// true 7 <nil>
	// afterwards nobody answers: true
}
