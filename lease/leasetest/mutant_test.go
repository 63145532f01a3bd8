package leasetest

import (
	"context"
	"errors"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/go-tenure/tenure/lease"
)

// toy is a small Manager with switches that break it, one promise each. It shares no code with lease/memory.
type toy struct {
	*store
	broken defect
}

type store struct {
	mu      sync.Mutex
	clk     clock.Clock
	records map[string]*toyRecord
	watches map[string][]*toyWatch
}

type toyRecord struct {
	holder lease.Holder
	term   lease.Term
	until  time.Time
	ttl    time.Duration
	perWho map[string]lease.Term
	given  time.Duration // length of an Acquire that was given up and is still under way; 0: none is
}

type toyWatch struct {
	mu      sync.Mutex
	stopped bool
	changed func(lease.Record)
}

// defect is what is wrong with a toy. The zero defect is nothing.
type defect struct {
	sameTermOnTakeover, sameTermForSameHolder, termPerHolder, releaseDeletes, restartForgets, eraseForgets    bool
	raceOnAcquire, raceOnTakeover, grantedWhileHeld, everRefused, refusedToItself, freedEarly, neverFreed     bool
	renewAnyTerm, renewAnyHolder, renewAnyIncarnation, renewAfterRelease, renewAfterTakeover, renewWithMeta   bool
	renewNothing, renewForFirstTTL, renewErased, renewStretches, renewRaisesTerm                              bool
	releaseAnyTerm, releaseAnyHolder, releaseNothing, releaseTwiceFails, releaseNeverHeld                     bool
	incarnationIgnored, namesJoined, metaDecides, metaDropped, metaStale, nameCut                             bool
	foldedKeys, trimmedKeys, cleanedKeys, cutKeys, unescapedKeys, keyForgotten                                bool
	contextIgnored, contextRefuses, bareRefusal, wrongRefusal, remainingWrong, limitsIgnored, limitsRefuse    bool
	readFails, readStale, readForgets, watchDeaf, watchNoFirst, watchNoRelease, watchNoStop, watchOverlaps    bool
	raceOnRenew, raceOnRelease, refusalExtends, watchFails, overtakenShortens, overtakenRefused               bool
	watchStopEarly, watchAllKeys, watchOnlyOne, watchBackwards, watchStopsAll, wrongLease, termZero, failMany bool
}

func (m *toy) Limits() lease.Limits {
	if m.broken.limitsIgnored || m.broken.limitsRefuse {
		return lease.Limits{MinTTL: 10 * time.Second, MaxTTL: 100 * time.Second, Step: time.Second, MaxKey: 200}
	}
	return lease.Limits{}
}

func (m *toy) record(key string) (string, *toyRecord) {
	d := m.broken
	switch {
	case d.foldedKeys:
		key = strings.ToLower(key)
	case d.trimmedKeys:
		key = strings.TrimSpace(key)
	case d.cleanedKeys:
		key = path.Clean("/" + key)
	case d.cutKeys:
		key = key[:min(len(key), 252)]
	case d.unescapedKeys:
		key = strings.ReplaceAll(key, "%2F", "/")
	}
	r := m.records[key]
	if r == nil {
		r = &toyRecord{perWho: make(map[string]lease.Term)}
		m.records[key] = r
	}
	return key, r
}

// pause lets others in where a mutant does in two steps what must be one.
func (m *toy) pause() {
	m.mu.Unlock()
	for range 20 {
		runtime.Gosched()
	}
	m.mu.Lock()
}

func (m *toy) same(a, b lease.Holder) bool {
	switch d := m.broken; {
	case d.incarnationIgnored:
		return a.Name == b.Name
	case d.namesJoined:
		return a.Name+a.Incarnation == b.Name+b.Incarnation
	case d.metaDecides:
		return a == b
	case d.nameCut:
		return a.Incarnation == b.Incarnation && cut(a.Name) == cut(b.Name)
	}
	return a.Is(b)
}

func cut(s string) string { return s[:min(len(s), 64)] }

func (m *toy) ended(ctx context.Context) error {
	if ctx.Err() == nil || m.broken.contextIgnored {
		return nil
	}
	if m.broken.contextRefuses {
		return &lease.HeldError{}
	}
	return ctx.Err()
}

func (m *toy) live(r *toyRecord) bool {
	end := r.until
	if m.broken.freedEarly {
		end = end.Add(-r.ttl / 2)
	}
	return !r.holder.IsZero() && (m.broken.neverFreed || m.clk.Now().Before(end))
}

func (m *toy) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if err := m.ended(ctx); err != nil {
		m.giveUp(key, ttl)
		return lease.Lease{}, err
	}
	if err := m.Limits().Check(ttl); err != nil && !m.broken.limitsIgnored {
		if m.broken.limitsRefuse {
			return lease.Lease{}, &lease.HeldError{}
		}
		return lease.Lease{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.broken
	at, r := m.record(key)
	live, ranOut := m.live(r), !r.holder.IsZero()
	if d.everRefused || live && (!m.same(r.holder, h) || d.refusedToItself) && !d.grantedWhileHeld {
		if d.refusalExtends {
			r.until = m.clk.Now().Add(r.ttl)
		}
		return lease.Lease{}, m.refusal(key, r)
	}
	if d.failMany && len(m.records) > 200 {
		return lease.Lease{}, errors.New("too many keys")
	}
	if d.raceOnAcquire || d.raceOnTakeover && ranOut && !live {
		m.pause()
	}
	switch {
	case d.sameTermOnTakeover && ranOut && !live, d.sameTermForSameHolder && live, d.termZero:
	case d.termPerHolder:
		r.perWho[h.Name]++
		r.term = r.perWho[h.Name]
	default:
		r.term++
	}
	old := r.holder
	r.holder, r.ttl, r.until = h, ttl, m.clk.Now().Add(ttl)
	if d.metaDropped {
		r.holder.Meta = ""
	}
	if d.metaStale && old.Is(h) {
		r.holder.Meta = old.Meta
	}
	m.tell(at, key, r)
	if d.wrongLease {
		h.Meta = ""
	}
	l := lease.Lease{Key: key, Holder: h, Term: r.term}
	if r.given > 0 { // here it comes
		r.term, r.ttl, r.until = r.term+1, r.given, m.clk.Now().Add(r.given)
		r.given = 0
	}
	return l, nil
}

// giveUp keeps a request that nobody waits for any more, until another has overtaken it.
func (m *toy) giveUp(key string, ttl time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, r := m.record(key)
	switch {
	case m.broken.overtakenShortens:
		r.given = ttl
	case m.broken.overtakenRefused && r.holder.IsZero():
		r.holder, r.until = lease.Holder{Name: "nobody knows"}, m.clk.Now().Add(ttl)
	}
}

func (m *toy) refusal(key string, r *toyRecord) error {
	known := m.known(key, r)
	switch d := m.broken; {
	case d.bareRefusal:
		return lease.ErrHeld
	case d.wrongRefusal:
		known.Term++
	case d.remainingWrong:
		known.Remaining *= 3
	}
	return &lease.HeldError{Record: known}
}

func (m *toy) known(key string, r *toyRecord) lease.Record {
	known := lease.Record{Lease: lease.Lease{Key: key, Holder: r.holder, Term: r.term}}
	if !r.holder.IsZero() {
		known.Remaining = max(0, r.until.Sub(m.clk.Now()))
	}
	return known
}

func (m *toy) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	if err := m.ended(ctx); err != nil {
		return err
	}
	if err := m.Limits().Check(ttl); err != nil && !m.broken.limitsIgnored {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.broken
	_, r := m.record(l.Key)
	wrong := !m.same(r.holder, l.Holder) || r.term != l.Term
	switch {
	case d.renewAnyTerm && r.holder.Is(l.Holder), d.renewAnyHolder && r.term == l.Term && !r.holder.IsZero():
	case d.renewAnyIncarnation && r.holder.Name == l.Holder.Name && r.term == l.Term:
	case d.renewAfterRelease && r.holder.IsZero() && r.term == l.Term && r.term > 0:
		r.holder = l.Holder
	case d.renewAfterTakeover && r.term == l.Term+1:
		return nil
	case d.renewWithMeta && r.holder != l.Holder, wrong:
		return &lease.LostError{Lease: l, Record: m.known(l.Key, r)}
	}
	switch {
	case d.renewNothing:
		return nil
	case d.renewForFirstTTL:
		ttl = r.ttl
	case d.renewStretches && ttl < r.ttl:
		return nil
	case d.renewRaisesTerm:
		r.term++
	case d.raceOnRenew:
		m.pause()
		r.holder, r.term = l.Holder, l.Term
	}
	r.ttl, r.until = ttl, m.clk.Now().Add(ttl)
	return nil
}

func (m *toy) Release(ctx context.Context, l lease.Lease) error {
	if err := m.ended(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.broken
	at, r := m.record(l.Key)
	wrong := !m.same(r.holder, l.Holder) || r.term != l.Term
	switch {
	case d.releaseNothing:
		return nil
	case d.releaseNeverHeld && r.term == 0:
		return nil
	case d.releaseTwiceFails && r.holder.IsZero() && r.term > 0:
		return errors.New("no such lease")
	case d.releaseAnyTerm && r.holder.Is(l.Holder), d.releaseAnyHolder && r.term == l.Term:
	case wrong:
		return &lease.LostError{Lease: l, Record: m.known(l.Key, r)}
	}
	if d.raceOnRelease {
		m.pause()
	}
	r.holder, r.until = lease.Holder{}, time.Time{}
	m.tell(at, l.Key, r)
	if d.releaseDeletes {
		delete(m.records, at)
	}
	return nil
}

func (m *toy) Read(ctx context.Context, key string) (lease.Record, error) {
	if err := m.ended(ctx); err != nil {
		return lease.Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, r := m.record(key)
	known := m.known(key, r)
	switch d := m.broken; {
	case d.readFails && r.term == 0:
		return lease.Record{}, errors.New("no such key")
	case d.readStale && r.term > 0 && r.holder.IsZero():
		known.Term--
	case d.readForgets && r.term > 0:
		known.Holder = lease.Holder{}
	case d.keyForgotten:
		known.Key = ""
	}
	return known, nil
}

// config is how the suite reaches a toy with a defect.
func (d defect) config() Config {
	clk := clock.NewMock()
	return Config{
		Clock: clk,
		New: func(TB) lease.Manager {
			s := &store{clk: clk, records: make(map[string]*toyRecord), watches: make(map[string][]*toyWatch)}
			return &toy{store: s, broken: d}
		},
		Peer: func(_ TB, m lease.Manager) lease.Manager { return &toy{store: m.(*toy).store, broken: d} },
		Reopen: func(_ TB, m lease.Manager) lease.Manager {
			if d.restartForgets {
				m.(*toy).records = make(map[string]*toyRecord)
			}
			return &toy{store: m.(*toy).store, broken: d}
		},
		Erase: func(_ TB, m lease.Manager, key string) {
			switch _, r := m.(*toy).record(key); {
			case d.eraseForgets:
				delete(m.(*toy).records, key)
			case !d.renewErased:
				r.holder, r.until = lease.Holder{}, time.Time{}
			}
		},
	}
}
