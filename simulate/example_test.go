package simulate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/simulate"
)

// A follower is cut off, the leader stands still beyond its lease, and the next leader is asked to resign.
func ExampleTrace_Timeline() {
	scenario, err := simulate.Parse(strings.NewReader(`tenure scenario 1
nodes 3
ttl 15s
watch true
heal 60s
end 72s
cut n0 at 12s for 9s
pause leader at 31s for 20s
resign leader at 55s
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	trace, err := simulate.Play(scenario)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(trace.Timeline())
	// Output:
	// seed 0  digest b8b595bd49c1cb5e  nodes 3  ttl 15s  store expiring
	//   cut n0 at 12s for 9s
	//   pause leader at 31s for 20s
	//   resign leader at 55s
	//         |0s         |12s        |24s        |36s        |48s        |1m0s
	//   n0     ?....?...?...???.??..?....?...?....?....??....?....?...?....?...?.....?
	//   n1     ##############################zzzzzzzzzzzzzzzzzzzz~?...################
	//   n2       ?....?...?....?...?....?...?....?...?..#############~......?....?....
	//   store -11111111111111111111111111111111111111111222222222222223333333333333333
	//      67.6789s  n2 learns: acquire refused
	//      67.6789s  n2 acquiring -> follower (held), term 3
	//      70.5499s  n1 asks #13: renew
	//      70.5549s  store: renew of n1 #13 granted; n1 has term 3
	//      70.5622s  n1 learns: renew granted
	//      71.0080s  n0 follower -> acquiring (due), term 3
	//      71.0080s  n0 asks #17: acquire
	//      71.0156s  store: acquire of n0 #17 refused; n1 has term 3
	//      71.0197s  n0 learns: acquire refused
	//      71.0197s  n0 acquiring -> follower (held), term 3
}

// Every state that two nodes can reach, whatever is lost, late or out of order.
func ExampleSmall_Explore() {
	small := simulate.Small{Nodes: 2, Heal: true}
	found, err := small.Explore()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("complete:", found.Complete)
	fmt.Println("violation:", found.Violation.Rule == "" && len(found.Path) == 0)
	// Output:
	// complete: true
	// violation: true
}

// Ten schedules of faults are planned and played.
func ExampleCampaign() {
	result, err := simulate.Campaign{Base: simulate.Scenario{Nodes: 5}, Seeds: 10}.Run()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Schedules, "schedules,", result.Simulated, "of simulated time, failed:", result.Failed != nil)
	// Output:
	// 10 schedules, 1h40m0s of simulated time, failed: false
}

// What stands in a user's test: the election, with a timing of its own in ticks, whatever happens.
func ExampleExplore() {
	_ = func(t *testing.T) {
		simulate.Explore(t, simulate.Small{Nodes: 3, Pauses: 1})
	}
	fmt.Println("go test")
	// Output:
	// go test
}

// What stands in a user's test.
func ExampleRun() {
	_ = func(t *testing.T) {
		simulate.Run(t, simulate.Cluster{Nodes: 5, TTL: 15 * time.Second, Seeds: 10_000})
	}
	fmt.Println("go test")
	// Output:
	// go test
}
