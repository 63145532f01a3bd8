package azureblob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	azlease "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// native is the engine of mode Native.
type native struct {
	*blobs

	mu sync.Mutex
	// What this process knows of its own leases.
	tried map[claim]attempt // second steps whose third is not known to have been made or refused
	held  map[string]term   // leases that were granted, by key
}

func newNative(b *blobs) *native {
	return &native{blobs: b, tried: map[claim]attempt{}, held: map[string]term{}}
}

// sight is what a look at a blob shows.
type sight struct {
	etag   string // "" if there is no blob
	body   register.Body
	leased bool // somebody has the lease of the blob, which need not be who the metadata name
}

func (n *native) Limits() lease.Limits {
	return lease.Limits{MinTTL: minNative, MaxTTL: maxNative, Step: time.Second}
}

// id returns the id of the lease that h has under a term.
func id(key string, h lease.Holder, t lease.Term) string {
	// Names have no control characters, so nothing runs into its neighbour.
	b := sha256.Sum256(fmt.Appendf(nil, "tenure\n%s\n%s\n%s\n%d", key, h.Name, h.Incarnation, t))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // a UUID of version 8, which is one's own
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// tries bounds how often an acquisition begins anew because the blob changed between two of its steps.
const tries = 6

func (n *native) Acquire(ctx context.Context, key string, h lease.Holder, ttl time.Duration) (lease.Lease, error) {
	if err := errors.Join(lease.CheckKey(key), h.Check(), n.Limits().Check(ttl)); err != nil {
		return lease.Lease{}, lease.Permanent(oneLine{err})
	}
	nonce := lease.NewIncarnation()
	for range tries {
		s, err := n.look(ctx, key)
		if err == nil && s.etag == "" {
			err = n.begin(ctx, key)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return lease.Lease{}, n.fail("acquire", key, err)
		}
		if s.body.Nonce == nonce { // our own third step, whose answer was lost
			mine := term{id(key, h, s.body.Term), ttl}
			if err := n.even(ctx, claimOf(key, h), mine, s.etag); err != nil {
				return lease.Lease{}, n.fail("acquire", key, err)
			}
			n.granted(claimOf(key, h), mine)
			return lease.Lease{Key: key, Holder: h, Term: s.body.Term}, nil
		}
		if s.body.Term >= register.MaxTerm {
			err := lease.Permanent(fmt.Errorf("no term is left after %d", s.body.Term))
			return lease.Lease{}, n.fail("acquire", key, err)
		}
		next := register.Body{Holder: h, Term: s.body.Term + 1, TTL: ttl, Nonce: nonce}
		done, err := n.take(ctx, key, s, next)
		switch {
		case errors.Is(err, lease.ErrHeld):
			return lease.Lease{}, err
		case err != nil:
			return lease.Lease{}, n.fail("acquire", key, err)
		case done:
			return lease.Lease{Key: key, Holder: h, Term: next.Term}, nil
		}
	}
	return lease.Lease{}, n.fail("acquire", key, fmt.Errorf("the blob changed %d times meanwhile", tries))
}

// take makes the second and the third step. It reports false if the blob is no longer as it was seen.
func (n *native) take(ctx context.Context, key string, s sight, next register.Body) (bool, error) {
	me, mine := claimOf(key, next.Holder), term{id(key, next.Holder, next.Term), next.TTL}
	again := n.try(me, mine)
	// If the metadata name nobody, it may still be our own lease: one whose release was not completed.
	own := s.body.Holder.Is(next.Holder) || s.body.Holder.IsZero()
	if s.leased && !own && !again { // spares a request that would be refused
		n.settled(me)
		return false, refusal(key, s)
	}
	l, err := azlease.NewBlobClient(n.blob(key), &azlease.BlobClientOptions{LeaseID: &mine.id})
	if err != nil {
		return false, err
	}
	if s.leased && own {
		err := n.change(ctx, key, s, next.Holder, mine.id)
		if err != nil && !refused(err) && !changed(err) && !absent(err) {
			return false, err
		}
	}
	_, err = l.AcquireLease(ctx, seconds(next.TTL), &azlease.BlobAcquireOptions{ModifiedAccessConditions: match(s.etag)})
	switch {
	case refused(err) && own: // another has it and has not yet said so
		n.settled(me)
		return false, refusal(key, sight{})
	case refused(err):
		n.settled(me)
		return false, nil // looks again: who has it may stand in the metadata by now
	case changed(err) || absent(err):
		return false, nil
	case err != nil:
		return false, err
	}
	etag, err := n.write(ctx, key, mine.id, s.etag, next)
	if err == nil {
		err = n.even(ctx, me, mine, etag)
	}
	switch {
	case changed(err) || refused(err) || absent(err):
		return false, nil
	case err != nil:
		return false, err
	}
	n.granted(me, mine)
	return true, nil
}

// even makes the service lease for the length of t, if another call asked for another length: its request may have come
// after ours. None can come any more after the metadata, whose ETag is etag.
func (n *native) even(ctx context.Context, c claim, t term, etag string) error {
	if !n.mixed(c, t) {
		return nil
	}
	l, err := azlease.NewBlobClient(n.blob(c.key), &azlease.BlobClientOptions{LeaseID: &t.id})
	if err == nil {
		_, err = l.AcquireLease(ctx, seconds(t.ttl), &azlease.BlobAcquireOptions{ModifiedAccessConditions: match(etag)})
	}
	return err
}

// change gives the lease that h has under the term of s another id. If the answer to an earlier change was lost, it is
// done already, and the service agrees.
func (n *native) change(ctx context.Context, key string, s sight, h lease.Holder, to string) error {
	from := id(key, h, s.body.Term)
	l, err := azlease.NewBlobClient(n.blob(key), &azlease.BlobClientOptions{LeaseID: &from})
	if err == nil {
		_, err = l.ChangeLease(ctx, to, &azlease.BlobChangeOptions{ModifiedAccessConditions: match(s.etag)})
	}
	return err
}

func (n *native) Renew(ctx context.Context, l lease.Lease, ttl time.Duration) error {
	if err := errors.Join(lease.CheckKey(l.Key), n.Limits().Check(ttl)); err != nil {
		return lease.Permanent(oneLine{err})
	}
	mine := term{id(l.Key, l.Holder, l.Term), ttl}
	c, err := azlease.NewBlobClient(n.blob(l.Key), &azlease.BlobClientOptions{LeaseID: &mine.id})
	if err != nil {
		return n.fail("renew", l.Key, err)
	}
	// This comes first at any rate: a lease that was broken is not renewed, but would be granted if asked for again.
	if _, err = c.RenewLease(ctx, nil); err == nil && n.has(l.Key) != mine {
		err = n.prolong(ctx, l, c, mine)
	}
	switch {
	case refused(err) || absent(err):
		n.forget(l.Key, mine.id)
		return n.lost(ctx, "renew", l)
	case errors.Is(err, lease.ErrLost):
		return err
	case err != nil:
		return n.fail("renew", l.Key, err)
	}
	return nil
}

// prolong makes the service lease for another length, which it does when the lease is taken again under the same id.
// First the metadata are written, so that no request for another length, which may be late, fits any more.
func (n *native) prolong(ctx context.Context, l lease.Lease, c *azlease.BlobClient, mine term) error {
	n.forget(l.Key, mine.id)
	s, err := n.look(ctx, l.Key)
	if err != nil {
		return err
	}
	if !s.body.Holder.Is(l.Holder) || s.body.Term != l.Term { // it is being released
		return &lease.LostError{Lease: l, Record: lease.Record{Lease: lease.Lease{Key: l.Key, Term: s.body.Term}}}
	}
	next := s.body
	next.TTL, next.Seq = mine.ttl, next.Seq+1
	etag, err := n.write(ctx, l.Key, mine.id, s.etag, next)
	if err == nil {
		_, err = c.AcquireLease(ctx, seconds(mine.ttl), &azlease.BlobAcquireOptions{ModifiedAccessConditions: match(etag)})
	}
	if err == nil {
		n.granted(claimOf(l.Key, l.Holder), mine)
	}
	return err
}

func (n *native) Release(ctx context.Context, l lease.Lease) error {
	if err := lease.CheckKey(l.Key); err != nil {
		return lease.Permanent(err)
	}
	mine := id(l.Key, l.Holder, l.Term)
	n.forget(l.Key, mine)
	// The metadata come first, while only we can write them: nobody is told of us any more when another has the lease.
	_, err := n.write(ctx, l.Key, mine, "", register.Body{Term: l.Term})
	if err == nil {
		var c *azlease.BlobClient
		c, err = azlease.NewBlobClient(n.blob(l.Key), &azlease.BlobClientOptions{LeaseID: &mine})
		if err == nil {
			_, err = c.ReleaseLease(ctx, nil)
		}
	}
	switch {
	case refused(err) || absent(err):
		return n.lost(ctx, "release", l)
	case err != nil:
		return n.fail("release", l.Key, err)
	}
	return nil
}

// lost says what the blob has instead of l. A release that finds the lease over, and nobody else's since, was repeated.
func (n *native) lost(ctx context.Context, op string, l lease.Lease) error {
	s, err := n.look(ctx, l.Key)
	switch {
	case err != nil:
		return &lease.LostError{Lease: l} // it is, whoever has it
	case op == "release" && !s.leased && s.body.Term == l.Term && (s.body.Holder.IsZero() || s.body.Holder.Is(l.Holder)):
		return nil
	}
	r := s.record(l.Key)
	if r.Holder.Is(l.Holder) && r.Term == l.Term { // another has the lease, but has not yet said so; or it is being broken
		r.Holder = lease.Holder{}
	}
	return &lease.LostError{Lease: l, Record: r}
}

func (n *native) Read(ctx context.Context, key string) (lease.Record, error) {
	if err := lease.CheckKey(key); err != nil {
		return lease.Record{}, lease.Permanent(err)
	}
	s, err := n.look(ctx, key)
	if err != nil {
		return lease.Record{}, n.fail("read", key, err)
	}
	return s.record(key), nil
}

// record is s as observers are told of it.
func (s sight) record(key string) lease.Record {
	r := lease.Record{Lease: lease.Lease{Key: key, Term: s.body.Term}}
	if s.leased {
		r.Holder, r.Remaining = s.body.Holder, -1
	}
	return r
}

// refusal is who has the lease, as far as the blob says.
func refusal(key string, s sight) error {
	if s.body.Holder.IsZero() {
		return fmt.Errorf("lease: %q is being taken by another: %w", key, lease.ErrHeld)
	}
	return &lease.HeldError{Record: s.record(key)}
}

// look reads the properties of the blob of key.
func (n *native) look(ctx context.Context, key string) (sight, error) {
	p, err := n.blob(key).GetProperties(ctx, nil)
	switch {
	case absent(err):
		return sight{}, nil
	case err != nil:
		return sight{}, err
	case p.ETag == nil || *p.ETag == "":
		return sight{}, errors.New("the service sent no ETag")
	}
	value, ok := marked(p.Metadata)
	if !ok {
		return sight{}, lease.Permanent(fmt.Errorf("the blob %s keeps no native lease: set Config.Mode to Swap if that is "+
			"what the others use, or Config.Prefix to another", n.name(key)))
	}
	body, err := register.Decode(key, []byte(value))
	if err != nil {
		return sight{}, err
	}
	state := azlease.StateTypeAvailable
	if p.LeaseState != nil {
		state = *p.LeaseState
	}
	leased := state == azlease.StateTypeLeased || state == azlease.StateTypeBreaking
	return sight{string(*p.ETag), body, leased}, nil
}

// begin makes a blob that nobody holds, unless another process has made one.
func (n *native) begin(ctx context.Context, key string) error {
	_, err := n.put(ctx, key, "", metadata(key, register.Body{Term: floor()}), "")
	if changed(err) {
		return nil
	}
	return err
}

// write writes the metadata under a lease, on the condition that the ETag is etag, if that is given. It returns the new
// one.
func (n *native) write(ctx context.Context, key, id, etag string, b register.Body) (string, error) {
	r, err := n.blob(key).SetMetadata(ctx, metadata(key, b), &blob.SetMetadataOptions{
		AccessConditions: &blob.AccessConditions{
			LeaseAccessConditions:    &blob.LeaseAccessConditions{LeaseID: &id},
			ModifiedAccessConditions: match(etag),
		},
	})
	if err == nil && r.ETag == nil {
		err = errors.New("the service sent no ETag")
	}
	if err != nil {
		return "", err
	}
	return string(*r.ETag), nil
}

func metadata(key string, b register.Body) map[string]*string {
	return map[string]*string{marker: to.Ptr(ascii(register.Encode(key, b)))}
}

func match(etag string) *blob.ModifiedAccessConditions {
	if etag == "" {
		return nil
	}
	return &blob.ModifiedAccessConditions{IfMatch: to.Ptr(azcore.ETag(etag))}
}

func seconds(d time.Duration) int32 { return int32(d / time.Second) }
