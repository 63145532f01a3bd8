package etcd

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/internal/contest"
	"github.com/go-tenure/tenure/internal/servers"
	"github.com/go-tenure/tenure/lease"
)

// stand has a node of its own stand for key, for the length of the test.
func stand(t *testing.T, m lease.Manager, key string, ttl time.Duration, hooks actor.Hooks,
) (*actor.Campaign, *contest.Node) {
	t.Helper()
	return contest.Stand(t, actor.Config{Manager: m, Hooks: hooks},
		actor.Election{Key: key, TTL: ttl, Timing: fsm.Timing{Grace: -1}})
}

func TestANodeStandsByUntilEtcdComes(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Etcd())
	s.Kill()
	c, book := stand(t, open(t, s.Addr()), "stands by", 2*time.Second, actor.Hooks{})
	contest.Eventually(t, "its status says that etcd does not answer", func() bool {
		err := c.Status().Err
		return err != nil && strings.Contains(err.Error(), "no answer from")
	})
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	contest.Wait(t, c, fsm.Leader)
	if n := book.Count("no usable answer"); n != 1 {
		t.Errorf("the log complains %d times; want once:\n%s", n, book)
	}
}

func TestAnotherLeadsAtOnceAfterAResignation(t *testing.T) {
	t.Parallel()
	key := fresh("handover")
	a, _ := stand(t, open(t, shared.Addr()), key, time.Minute, actor.Hooks{})
	contest.Wait(t, a, fsm.Leader)
	b, _ := stand(t, open(t, shared.Addr()), key, time.Minute, actor.Hooks{})
	contest.Eventually(t, "the follower knows the leader", func() bool { return !b.Status().Leader.IsZero() })
	begun := time.Now()
	if err := a.Resign(); err != nil {
		t.Fatal(err)
	}
	contest.Wait(t, b, fsm.Leader)
	if took := time.Since(begun); took > 15*time.Second { // a poll of a lease of a minute comes after 16 s or more
		t.Errorf("it took %v; the watch should have told", took)
	}
}

func TestALeaderStopsInTimeWhenEtcdHangsAndLeadsAgainAfterwards(t *testing.T) {
	t.Parallel()
	s := servers.Test(t, servers.Etcd())
	c, _ := stand(t, open(t, s.Addr()), "hangs", time.Second, actor.Hooks{})
	contest.Wait(t, c, fsm.Leader)
	term := c.Status().Term
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	contest.Eventually(t, "it stops leading", func() bool { return !c.Status().Leading })
	time.Sleep(time.Second) // past the end of the lease
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	contest.Eventually(t, "it leads another term", func() bool { st := c.Status(); return st.Leading && st.Term > term })
}

func TestALeaderThatIsCutOffIsReplacedAndFollows(t *testing.T) {
	t.Parallel()
	p := servers.TestProxy(t, shared.Addr())
	key := fresh("cut off")
	a, _ := stand(t, open(t, p.Addr()), key, time.Second, actor.Hooks{})
	contest.Wait(t, a, fsm.Leader)
	b, _ := stand(t, open(t, shared.Addr()), key, time.Second, actor.Hooks{})
	p.Set(servers.Blackhole)
	contest.Wait(t, b, fsm.Leader)
	if a.Status().Leading {
		t.Error("two lead")
	}
	p.Set(servers.Pass)
	contest.Eventually(t, "the old leader knows the new one", func() bool {
		st := a.Status()
		return st.State == fsm.Follower && st.Term >= b.Status().Term && st.Leader.Name == b.Status().Leader.Name
	})
}

func TestALeaderWhoseKeyIsDeletedByHandStopsAtOnce(t *testing.T) {
	t.Parallel()
	m, key := open(t, shared.Addr()), fresh("by hand")
	c, _ := stand(t, m, key, time.Minute, actor.Hooks{})
	contest.Wait(t, c, fsm.Leader)
	term := c.Status().Term
	if err := deleteDir(t.Context(), m, key); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	contest.Eventually(t, "it leads another term", func() bool { st := c.Status(); return st.Leading && st.Term > term })
	if took := time.Since(begun); took > 15*time.Second { // the next renewal would have come after 16 s or more
		t.Errorf("it took %v; the watch should have told", took)
	}
}

// rights sets up a server that wants users: root, one that may use the prefix, and one that may not.
func rights(t *testing.T) *servers.Server {
	t.Helper()
	s := servers.Test(t, servers.Etcd("--bcrypt-cost=4"))
	root := connect(t, s.Addr())
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	end := clientv3.GetPrefixRangeEnd(defaultPrefix)
	must(root.RoleAdd(ctx, "tenure"))
	must(root.RoleGrantPermission(ctx, "tenure", defaultPrefix, end, clientv3.PermissionType(clientv3.PermReadWrite)))
	for _, name := range []string{"root", "may", "may-not"} {
		must(root.UserAdd(ctx, name, "secret-"+name))
	}
	must(root.UserGrantRole(ctx, "root", "root"))
	must(root.UserGrantRole(ctx, "may", "tenure"))
	must(root.AuthEnable(ctx))
	return s
}

// as gives a client a user.
func as(name, password string) func(*clientv3.Config) {
	return func(c *clientv3.Config) { c.Username, c.Password = name, password }
}

func TestAUserNeedsNoMoreThanThePrefix(t *testing.T) {
	t.Parallel()
	s := rights(t)
	a, _ := stand(t, open(t, s.Addr(), as("may", "secret-may")), "allowed", time.Minute, actor.Hooks{})
	contest.Wait(t, a, fsm.Leader)
	b, _ := stand(t, open(t, s.Addr(), as("may", "secret-may")), "allowed", time.Minute, actor.Hooks{})
	contest.Eventually(t, "the follower knows the leader", func() bool { return !b.Status().Leader.IsZero() })
	if err := a.Resign(); err != nil {
		t.Fatal(err)
	}
	contest.Wait(t, b, fsm.Leader)
}

func TestWhoMayNotIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	s := rights(t)
	for name, c := range map[string]struct {
		change func(*clientv3.Config)
		says   string
	}{
		"no permission": {as("may-not", "secret-may-not"), `grant-permission --prefix=true ROLE readwrite "tenure/"`},
		"no user":       {func(*clientv3.Config) {}, "the cluster wants a user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			calls := 0
			hooks := actor.Hooks{Called: func(string, fsm.Op, time.Duration, error) {
				mu.Lock()
				defer mu.Unlock()
				calls++
			}}
			m := open(t, s.Addr(), c.change)
			begun := time.Now()
			node, book := stand(t, m, "not allowed", 3*time.Second, hooks)
			contest.Eventually(t, "its status says what to do", func() bool {
				err := node.Status().Err
				return errors.Is(err, lease.ErrPermanent) && strings.Contains(err.Error(), c.says)
			})
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			if most := 2 + int(time.Since(begun)/(200*time.Millisecond)); calls > most { // Retry is 200 ms, and waits grow
				t.Errorf("%d calls in %v", calls, time.Since(begun))
			}
			if n := book.Count("permanent=true"); n != 1 {
				t.Errorf("the log complains %d times; want once:\n%s", n, book)
			}
		})
	}
}

// The client asks for a token each time it renews, so a password that is changed while somebody leads shows at once.
func TestAWrongPasswordIsPermanent(t *testing.T) {
	t.Parallel()
	s := rights(t)
	m := open(t, s.Addr(), as("may", "secret-may"))
	l := grant(t, m, "password", holder("a"), time.Minute)
	root := connect(t, s.Addr(), as("root", "secret-root"))
	if _, err := root.UserChangePassword(t.Context(), "may", "new"); err != nil {
		t.Fatal(err)
	}
	err := m.Renew(t.Context(), l, time.Minute)
	if !errors.Is(err, lease.ErrPermanent) || !strings.Contains(err.Error(), "correct the user or the password") {
		t.Errorf("Renew = %v; want a permanent error that says what to do", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("%v gives the password away", err)
	}
}
