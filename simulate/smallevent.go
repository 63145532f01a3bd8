package simulate

import "fmt"

// event is what leads from one state to the next.
type event struct {
	do   small
	node int8
	slot int8
}

type small uint8

const (
	begins small = iota
	ticks
	carries
	carriesUnheard
	errsBefore
	errsAfter
	loses
	learns
	drains
	pauses
	resumes
	dies
	restarts
	resigned
	hands
	cordons
	uncordons
	stops
	ends
	learnsNews
	heals
	passes
	ghostCarries
	ghostLoses
	reads
	doubts
	strayCarries
	strayLoses
)

var smallNames = [...]string{
	begins: "start", ticks: "n%d wakes", carries: "the store carries out a request of n%d",
	carriesUnheard: "the store carries out a request of n%d; the answer is lost",
	errsBefore:     "the store answers n%d with an error, and has done nothing",
	errsAfter:      "the store carries out a request of n%d and answers with an error", loses: "a message of n%d is lost",
	learns: "n%d learns an answer", drains: "the work of n%d returns", pauses: "n%d stands still", resumes: "n%d goes on",
	dies: "n%d dies", restarts: "n%d starts again", resigned: "n%d is asked to resign",
	hands: "n%d is asked to hand over", cordons: "n%d is asked not to lead", uncordons: "n%d may lead again",
	stops: "n%d is asked to stop", ends: "the work of n%d returns by itself", learnsNews: "n%d sees what the store shows",
	heals:  "everything is healed",
	passes: "time passes", ghostCarries: "the store carries out a request of a dead process",
	ghostLoses: "a request of a dead process is lost",
	reads:      "the store shows n%d what it has", doubts: "n%d learns of an error, though its write is under way",
	strayCarries: "the store carries out a write of n%d that nobody waits for",
	strayLoses:   "a write of n%d that nobody waits for is lost",
}

// String returns the event in words. Nodes are numbered as in the state it leaves, in which symmetry may have changed
// their places.
func (e event) String() string {
	switch s := smallNames[e.do]; e.do {
	case begins, heals, passes, ghostCarries, ghostLoses:
		return s
	default:
		return fmt.Sprintf(s, e.node)
	}
}
