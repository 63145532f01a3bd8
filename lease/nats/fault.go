package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/internal/trust"
	"github.com/go-tenure/tenure/lease"
)

// strangers are the errors of a server that does not let the connection in.
var strangers = []error{
	nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired,
}

// explain gives an error its remedy, if it needs one, and the end of the context, if that is why. was is the last error
// of the connection when the call began.
func (m *Manager) explain(ctx context.Context, err, was error) error {
	nc := m.js.Conn()
	last := nc.LastError()
	if !nc.IsConnected() && slices.ContainsFunc(strangers, func(e error) bool { return errors.Is(last, e) }) {
		if end := ctx.Err(); end != nil && !errors.Is(err, end) {
			err = fmt.Errorf("%w: %w", end, err)
		}
		text := "correct the user or the password"
		if nc.IsClosed() {
			text += ", and make a new connection"
		}
		return lease.Permanent(fmt.Errorf("%w: %w; %s", err, last, text))
	}
	if !nc.IsConnected() && last != nil {
		if why := trust.Explain(last); errors.Is(why, lease.ErrPermanent) {
			return fmt.Errorf("%w: %w", err, why)
		}
	}
	if end := ctx.Err(); end != nil {
		if !errors.Is(err, end) {
			err = fmt.Errorf("%w: %w", end, err)
		}
		// The server tells of a missing permission beside the call, which gets no answer.
		if errors.Is(last, nats.ErrPermissionViolation) && last != was && m.concerns(last) {
			return lease.Permanent(fmt.Errorf("%w: %w; allow the user what docs/stores/nats.md lists", err, last))
		}
		return fmt.Errorf("no answer from the server (the connection is %v): %w", nc.Status(), err)
	}
	var api *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrConnectionClosed):
		return lease.Permanent(fmt.Errorf("%w; make a new one", err))
	case !errors.As(err, &api):
		return err
	}
	switch api.ErrorCode {
	case jetstream.JSErrCodeStreamNotFound:
		return lease.Permanent(fmt.Errorf("there is no bucket %s: make it with CreateOrUpdateKeyValue and Bucket, "+
			"or with create=3 in an address: %w", m.bucket, err))
	case jetstream.JSErrCodeJetStreamNotEnabledForAccount, jetstream.JSErrCodeJetStreamNotEnabled:
		return lease.Permanent(fmt.Errorf("%w; switch JetStream on for this account", err))
	case 10047, 10077: // resources of the account or the bucket
		return lease.Permanent(fmt.Errorf("%w; the bucket %s or its account is full", err, m.bucket))
	}
	return err
}

// concerns reports whether a violation of permissions is about what calls do with this bucket; watches use consumers.
func (m *Manager) concerns(err error) bool {
	text := strings.ToLower(err.Error())
	return !strings.Contains(text, ".consumer.") && (strings.Contains(text, strings.ToLower("KV_"+m.bucket)) ||
		strings.Contains(text, strings.ToLower("$KV."+m.bucket+".")))
}

// fail names the call that failed.
func (m *Manager) fail(ctx context.Context, op, key string, err, was error) error {
	if _, refusal := lease.Refusal(err); refusal {
		return err
	}
	if !errors.Is(err, lease.ErrPermanent) {
		err = m.explain(ctx, err, was)
	}
	return fmt.Errorf("lease: %s %q: %w", op, key, err)
}

// errEndless means that somebody has written a lease without a time to live.
func (m *Manager) errEndless(s sight) error {
	return lease.Permanent(fmt.Errorf("the lease of %s was written by a tool, with no time to live, so it never ends "+
		"unless it is renewed; once nobody leads, remove it: nats kv purge %s '%s'", s.Holder, m.bucket, escape(s.Key)))
}

// errBack means that the bucket has lost data, so that it would grant terms that it has granted before.
func errBack(bucket string, before, now uint64) error {
	return lease.Permanent(fmt.Errorf("the bucket %s has gone back by %d messages, and terms with it: it was restored "+
		"from a backup, or the server lost what it had not synced; make the bucket anew, which begins above all terms",
		bucket, before-now))
}
