package bench

import (
	"testing"
	"testing/synctest"
	"time"
)

// The benchmarks measure what they say only if every peer does the work; make test does not run benchmarks.

func TestEveryPeerHandsOverAndFailsOver(t *testing.T) {
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if took := newContest(p.open(t), 2).handOver(); took > 3*renewEvery {
					t.Errorf("handing over took %v, more than three polls", took)
				}
				c := newContest(p.open(t), 3)
				was := c.leader
				took, late := c.failOver()
				if c.leader == was {
					t.Error("the process that was cut off leads again")
				}
				if late < 0 || late > ttl {
					t.Errorf("failing over took %v, %v after the end of the lease; want 0 to one lease length after", took, late)
				}
				c.end()
			})
		})
	}
}

func TestEveryPeerLeadsAndFollowsInACrowd(t *testing.T) {
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 10
				a := p.open(t)
				stop := a.lead(n, true)
				time.Sleep(renewEvery / 2)
				first := a.writes() // client-go renews as soon as it has acquired
				if first < n || first > 2*n {
					t.Errorf("%d writes to lead %d elections, want one or two for each", first, n)
				}
				time.Sleep(10 * renewEvery)
				if got := a.writes() - first; got < 10*n || got > 14*n {
					t.Errorf("%d renewals of %d leases in 10 periods; want one per period, up to a fifth more often", got, n)
				}
				stop()

				a = p.open(t)
				stop = a.follow(n)
				if got := a.writes(); got != 0 {
					t.Errorf("followers were granted %d leases", got)
				}
				stop()
			})
		})
	}
}
