package redis

import (
	"context"
	"errors"
	"net"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/go-tenure/tenure/internal/audience"
)

// pause is how long to wait before a connection is made anew.
const pause = 200 * time.Millisecond

// listen keeps one subscription until ctx ends, and makes due what it hears of.
func (m *Manager) listen(ctx context.Context, l *audience.Loop[watched]) {
	for ctx.Err() == nil {
		m.subscribed(ctx, l)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// subscribed is the life of one connection.
func (m *Manager) subscribed(ctx context.Context, l *audience.Loop[watched]) {
	s := m.c.Client.Subscribe(ctx)
	defer func() { _ = s.Close() }()
	defer context.AfterFunc(ctx, func() { _ = s.Close() })() // receiving does not look at ctx
	if s.Subscribe(ctx, m.channel()) != nil {
		return
	}
	for asked := false; ; {
		news, err := s.ReceiveTimeout(ctx, m.silence)
		var slow net.Error
		switch {
		case err == nil:
			asked = false
		case !asked && errors.As(err, &slow) && slow.Timeout():
			if asked = true; s.Ping(ctx) != nil {
				return
			}
		default:
			return
		}
		switch n := news.(type) {
		case *goredis.Subscription: // whatever happened before was not heard
			heard(l, "")
		case *goredis.Message:
			heard(l, n.Payload)
		}
	}
}
