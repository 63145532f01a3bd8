package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/go-tenure/tenure/actor"
	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/kubernetes"
)

// timing is that of an elector of client-go.
type timing struct{ lease, renew, retry time.Duration }

// usual is the timing of every controller of Kubernetes, unless it is told otherwise.
var usual = timing{15 * time.Second, 10 * time.Second, 2 * time.Second}

// elect runs electors of client-go one after the other, as a pod that is started again does, until ctx ends. lead is
// called for each tenure and returns as soon as its context ends.
func elect(ctx context.Context, leases coordination.LeasesGetter, at timing, release bool, key, identity string,
	lead func(context.Context),
) {
	ctx = klog.NewContext(ctx, klog.Logger{}) // which says nothing
	for ctx.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{
				LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: key}, Client: leases,
				LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
			},
			LeaseDuration: at.lease, RenewDeadline: at.renew, RetryPeriod: at.retry, ReleaseOnCancel: release,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: lead, // in a goroutine of its own, which Run does not wait for
				OnStoppedLeading: func() {},
			},
		})
		if err != nil {
			panic(err)
		}
		elector.Run(ctx)
	}
}

// stand runs a node of Tenure until ctx ends, in the same manner.
func stand(ctx context.Context, c kubernetes.Client, ttl, guard time.Duration, key, name string,
	lead func(context.Context, lease.Term),
) error {
	m, err := kubernetes.New(kubernetes.Config{Client: c, Guard: guard})
	if err != nil {
		return err
	}
	node, err := actor.New(actor.Config{Name: name, Manager: m})
	if err != nil {
		return err
	}
	if _, err := node.Campaign(actor.Election{Key: key, TTL: ttl,
		Lead: func(ctx context.Context, tenure *actor.Tenure) error {
			lead(ctx, tenure.Term())
			return nil
		}}); err != nil {
		return err
	}
	if err := node.Run(ctx); err != nil && !errors.Is(err, ctx.Err()) {
		return err
	}
	return nil
}

// bridge is client-go's client on one of ours: the elector is the real one, what it talks to is a model.
type bridge struct {
	coordination.LeaseInterface // nil: an elector uses no more than what is here
	client                      kubernetes.Client
}

func (b bridge) Leases(string) coordination.LeaseInterface { return b }

func (b bridge) Get(ctx context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	return typed(b.client.Get(ctx, name))
}

func (b bridge) Create(ctx context.Context, l *coordinationv1.Lease, _ metav1.CreateOptions) (
	*coordinationv1.Lease, error,
) {
	data, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	return typed(b.client.Create(ctx, l.Name, data))
}

func (b bridge) Update(ctx context.Context, l *coordinationv1.Lease, _ metav1.UpdateOptions) (
	*coordinationv1.Lease, error,
) {
	data, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	return typed(b.client.Update(ctx, l.Name, data))
}

func typed(data []byte, err error) (*coordinationv1.Lease, error) {
	var refused *kubernetes.StatusError
	if errors.As(err, &refused) {
		return nil, &apierrors.StatusError{ErrStatus: metav1.Status{
			Code: int32(refused.Code), Reason: metav1.StatusReason(refused.Reason), Message: refused.Message,
			Details: &metav1.StatusDetails{Kind: refused.Kind},
		}}
	}
	if err != nil {
		return nil, err
	}
	l := new(coordinationv1.Lease)
	return l, json.Unmarshal(data, l)
}

// stage is where leaders act. It notes who is on it, and every moment at which there are two. Two of client-go's are
// theirs to explain: they leave one another no time beyond the lease, though they act beyond it.
type stage struct {
	mu      sync.Mutex
	started time.Time
	on      map[string]time.Time
	led     map[string]int
	story   []string
	faults  []string
	theirs  []string // of two electors of client-go
	top     lease.Term
}

func newStage() *stage {
	return &stage{started: time.Now(), on: map[string]time.Time{}, led: map[string]int{}}
}

// enter is called when work begins, leave when it has ended. A term is zero for client-go.
func (s *stage) enter(who string, term lease.Term) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, since := range s.on {
		text := fmt.Sprintf("%v: %s begins, and %s leads since %v", time.Since(s.started), who, other, since.Sub(s.started))
		if strings.HasPrefix(who, "client-go") && strings.HasPrefix(other, "client-go") {
			s.theirs = append(s.theirs, text)
			continue
		}
		s.faults = append(s.faults, text)
	}
	if term > 0 && term <= s.top {
		s.faults = append(s.faults, fmt.Sprintf("%v: %s begins under term %d after term %d", time.Since(s.started), who,
			term, s.top))
	}
	s.top = max(s.top, term)
	s.on[who] = time.Now()
	s.led[who]++
	s.note("%s begins, term %d", who, term)
}

func (s *stage) leave(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.on, who)
	s.note("%s ends", who)
}

func (s *stage) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(format, args...)
}

func (s *stage) note(format string, args ...any) {
	s.story = append(s.story, fmt.Sprintf("%12v ", time.Since(s.started))+fmt.Sprintf(format, args...))
}
