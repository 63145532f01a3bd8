package simulate_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-tenure/tenure/simulate"
)

func play(script string) *simulate.Trace {
	scenario, err := simulate.Parse(strings.NewReader("tenure scenario 1\n" + script))
	if err != nil {
		panic(err)
	}
	trace, err := simulate.Play(scenario)
	if err != nil {
		panic(err)
	}
	return trace
}

// The page opens in any browser, without a network.
func ExampleTrace_HTML() {
	trace := play("nodes 3\nttl 15s\npause leader at 31s for 20s\n")
	var page bytes.Buffer
	if err := trace.HTML(&page, nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Contains(page.String(), "No rule is broken"), page.Len() < 300_000)
	// Output:
	// true true
}

// One node, its first seconds, as a diagram to paste into an issue.
func ExampleTrace_Mermaid() {
	fmt.Print(play("nodes 1\nttl 15s\nheal 2s\nend 3s\n").Mermaid())
	// Output:
	// sequenceDiagram
	//     participant n0
	//     participant store
	//     Note over n0: 1.798s n0 starts
	//     Note over n0: 1.798s n0 follower -> acquiring (due), term 0
	//     n0->>store: acquire (1)
	//     Note over store: 1.803s store: acquire of n0 #35;1 granted#59; n0 has term 1
	//     store-->>n0: acquire granted (1)
	//     Note over n0: 1.808s n0 acquiring -> leader (won), term 1
	//     Note over n0: 1.808s n0 writes under term 1: accepted
	//     Note over n0,store: 2.000s all faults are over
}

// The file opens in https://ui.perfetto.dev.
func ExampleTrace_Perfetto() {
	var file bytes.Buffer
	if err := play("nodes 1\nttl 15s\nheal 2s\nend 3s\n").Perfetto(&file); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Contains(file.String(), `{"name":"leader","ph":"X",`))
	// Output:
	// true
}

// Two nodes led at once, as far as one can tell by the clocks of their hosts.
func ExampleAudit() {
	var log strings.Builder
	for _, line := range []string{
		`"seq":9,"node":"a","from":"acquiring","to":"leader","reason":"won","term":4,"at":"2026-03-01T12:00:00Z"`,
		`"seq":5,"node":"b","from":"acquiring","to":"leader","reason":"won","term":5,"at":"2026-03-01T12:00:10Z"`,
		`"seq":10,"node":"a","from":"leader","to":"releasing","reason":"expired","term":4,"at":"2026-03-01T12:00:13Z"`,
	} {
		fmt.Fprintf(&log, "{\"v\":1,\"kind\":\"moved\",\"key\":\"k\",%s}\n", line)
	}
	report, err := simulate.Audit(strings.NewReader(log.String()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(report)
	// Output:
	// line 2: warning: R1: b begins to lead "k" under term 5 while a leads under term 4 (line 1), for 3s by their clocks
	// 3 events, nodes 2, keys 1, 2026-03-01T12:00:00Z to 2026-03-01T12:00:13Z; tenures 2, restarts 0, faults 0, warnings 1
}
