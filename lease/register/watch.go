package register

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-tenure/tenure/lease"
)

// Notifier is a [Register] that can tell that a record may have changed.
type Notifier interface {
	Register
	// Notify calls changed once soon, and then soon after each change of the record of key, until stop is called. It
	// may call it more often, and once for several changes, but never twice at once for one Notify. changed loads the
	// record, which takes as long as a Load. stop may be called more than once and from anywhere but changed; when it
	// returns, changed is not running and will not be called again.
	Notify(key string, changed func()) (stop func(), err error)
}

// Watcher is a [Manager] that is a [lease.Watcher] too.
type Watcher struct {
	*Manager
	notifier Notifier
}

var _ lease.Watcher = (*Watcher)(nil)

// A load for a watch takes no longer than this; polling makes up for it.
const loadTimeout = 5 * time.Second

// NewWatcher is New for a Register that is a [Notifier].
func NewWatcher(c Config) (*Watcher, error) {
	n, ok := c.Register.(Notifier)
	if c.Register != nil && !ok {
		err := fmt.Errorf("register: Config.Register is a %T, which has no Notify; use New", c.Register)
		return nil, errors.Join(err, c.Check())
	}
	m, err := New(c)
	if err != nil {
		return nil, err
	}
	return &Watcher{Manager: m, notifier: n}, nil
}

// Watch calls changed with the record of key, now and after each change, renewals included; see [lease.Watcher]. A
// record that cannot be read is passed over; Acquire reports it.
func (w *Watcher) Watch(key string, changed func(lease.Record)) (func(), error) {
	if err := lease.CheckKey(key); err != nil {
		return nil, lease.Permanent(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var told *string // the version that was last told of; nil before the first
	stop, err := w.notifier.Notify(key, func() {
		ctx, done := context.WithTimeout(ctx, loadTimeout)
		defer done()
		s, now, err := w.look(ctx, key)
		if err != nil || told != nil && *told == s.Version || told == nil && s.Version == "" {
			return
		}
		told = &s.Version
		changed(s.Record(key, now, w.c.Drift))
	})
	if err != nil {
		cancel()
		return nil, w.fail("watch", key, err)
	}
	var once sync.Once
	return func() { once.Do(cancel); stop() }, nil
}
