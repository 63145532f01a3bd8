package postgres

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// member is a real node with one election.
type member struct {
	campaign *actor.Campaign
	log      *notes
	leads    atomic.Int32 // pieces of work that run
	term     atomic.Uint64
}

// stand runs a node until the end of the test.
func stand(t *testing.T, m lease.Manager, name string, ttl time.Duration, running *atomic.Int32) *member {
	t.Helper()
	b := &member{log: &notes{}}
	n, err := actor.New(actor.Config{Name: name, Manager: m, Logger: slog.New(slog.NewTextHandler(b.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	work := func(ctx context.Context, te *actor.Tenure) error {
		if running.Add(1) > 1 {
			t.Errorf("%s leads while another does", name)
		}
		b.term.Store(uint64(te.Term()))
		b.leads.Add(1)
		<-ctx.Done()
		b.leads.Add(-1)
		running.Add(-1)
		return nil
	}
	b.campaign, err = n.Campaign(actor.Election{Key: "k", TTL: ttl, Lead: work})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return b
}

func (b *member) leading() bool { return b.leads.Load() == 1 }

// A node that starts before its server, or before its table, or without a right, stands by, says so once while that may
// pass and once when somebody has to do something, and leads when it can.
func TestANodeStandsByUntilTheStoreIsThere(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Postgres())
	admin := open(t, address(s.Addr(), "postgres"))
	must(t, admin, "CREATE ROLE plain LOGIN")
	_ = admin.Close()
	s.Kill()
	url := address(s.Addr(), "plain")
	m := manager(t, Config{DB: open(t, url), Listen: listenAt(url)})
	b := stand(t, m, "node-a", 2*time.Second, new(atomic.Int32))
	status := func(says string) {
		t.Helper()
		contest.Eventually(t, "the status says "+says, func() bool {
			err := b.campaign.Status().Err
			return err != nil && strings.Contains(err.Error(), says)
		})
	}
	status("connection refused")
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	status("call Migrate")
	admin = open(t, address(s.Addr(), "postgres"))
	if err := Migrate(t.Context(), admin, ""); err != nil {
		t.Fatal(err)
	}
	status("grant the role SELECT")
	must(t, admin, "GRANT SELECT, INSERT, UPDATE ON tenure_lease TO plain")
	contest.Eventually(t, "it leads", b.leading)
	if n := b.log.count("store gave no usable answer"); n != 2 {
		t.Errorf("an outage that became a missing table was logged %d times", n)
	}
	if n := b.log.count("store answers again"); n != 1 {
		t.Errorf("its end was logged %d times", n)
	}
}

// Two nodes, each with a way of its own to one server that is killed, paused and cut off: never do both lead, and
// always does one again.
func TestNodesOutliveWhatHappensToTheServer(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Postgres("fsync = on"))
	if err := Migrate(t.Context(), open(t, address(s.Addr(), "postgres")), ""); err != nil {
		t.Fatal(err)
	}
	running := new(atomic.Int32)
	members, proxies := [2]*member{}, [2]*servers.Proxy{}
	for i, name := range []string{"node-a", "node-b"} {
		proxies[i] = servers.TestProxy(t, s.Addr())
		url := address(proxies[i].Addr(), "postgres")
		m := manager(t, Config{DB: open(t, url), Listen: listenAt(url), Poll: 100 * time.Millisecond})
		members[i] = stand(t, m, name, 2*time.Second, running)
	}
	leader := func() int {
		t.Helper()
		at := -1
		contest.Eventually(t, "somebody leads", func() bool {
			for i, b := range members {
				if b.leading() {
					at = i
				}
			}
			return at >= 0
		})
		return at
	}
	term := func(last uint64, than string) uint64 {
		t.Helper()
		now := members[leader()].term.Load()
		if now < last || than == "greater" && now == last {
			t.Errorf("term %d after %d", now, last)
		}
		return now
	}
	last := term(0, "greater")
	s.Kill() // in mid-term; it comes back before the lease ends, or after
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	last = term(last, "no less")
	if err := s.Pause(); err != nil { // until nobody dares to lead any more
		t.Fatal(err)
	}
	contest.Eventually(t, "nobody leads", func() bool { return running.Load() == 0 })
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	last = term(last, "greater")
	for _, fault := range []servers.Fault{servers.Blackhole, servers.HalfOpen, servers.DropAnswers, servers.Reset} {
		old := leader()
		proxies[old].Set(fault)
		contest.Eventually(t, fault.String()+": the other leads", members[1-old].leading)
		if members[old].leading() {
			t.Errorf("%v: the old leader leads, too", fault)
		}
		proxies[old].Set(servers.Pass)
		last = term(last, "greater")
	}
	s.Kill()
	if err := s.RestartEmpty(t.Context()); err != nil { // all is lost, and made anew
		t.Fatal(err)
	}
	contest.Eventually(t, "a table", func() bool {
		return Migrate(t.Context(), open(t, address(s.Addr(), "postgres")), "") == nil
	})
	contest.Eventually(t, "nobody leads by the old table", func() bool { return members[leader()].term.Load() > last })
}

// Notified, a successor leads as soon as the leader has released; otherwise it would in five minutes.
func TestAReleaseIsHeardAndNotPolled(t *testing.T) {
	t.Parallel()
	db := super(t)
	table, running := fresh(t, db), new(atomic.Int32)
	url := address(server.Addr(), "postgres")
	var members [2]*member
	for i, name := range []string{"node-a", "node-b"} {
		m := manager(t, Config{DB: open(t, url), Table: table, Listen: listenAt(url), Poll: 10 * time.Minute})
		members[i] = stand(t, m, name, 5*time.Minute, running)
		contest.Eventually(t, "it hears", m.hears)
	}
	old := 0
	contest.Eventually(t, "somebody leads", func() bool { return running.Load() == 1 })
	if members[1].leading() {
		old = 1
	}
	contest.Eventually(t, "the follower knows", func() bool { return members[1-old].campaign.Status().Leader.Name != "" })
	first := members[old].term.Load()
	if err := members[old].campaign.HandOver(); err != nil {
		t.Fatal(err)
	}
	contest.Eventually(t, "the other leads", members[1-old].leading)
	if now := members[1-old].term.Load(); now <= first {
		t.Errorf("term %d after %d", now, first)
	}
}
