package etcd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/go-tenure/tenure/lease"
)

const (
	format = 1
	// maxSize is the longest value that is looked at, in bytes. Values are a few hundred bytes long; only metadata makes
	// them longer.
	maxSize = 8 << 10
)

// value is what stands under the name of a holder, as JSON.
type value struct {
	Format      int    `json:"tenure"`
	Key         string `json:"key"`
	Holder      string `json:"holder"`
	Incarnation string `json:"incarnation"`
	Meta        string `json:"meta,omitempty"`
	TTL         string `json:"ttl"`
}

// sight is what etcd has of a key at one revision. Its holder is zero if nobody holds the key.
type sight struct {
	lease.Lease
	ttl      time.Duration // as it was asked for
	name     string        // where in etcd the holder stands
	id       clientv3.LeaseID
	modified int64  // the revision in which name was last written
	revision int64  // the revision of etcd
	raft     uint64 // the Raft term of the member that answered a read, 0 if it was none
	// doubt is set while a write may be under way that would attach name to another etcd lease.
	doubt bool
}

func (s sight) record(remaining time.Duration) lease.Record {
	if s.Holder.IsZero() {
		remaining = 0
	}
	return lease.Record{Lease: s.Lease, Remaining: remaining}
}

func encode(key string, h lease.Holder, ttl time.Duration) string {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	v := value{Format: format, Key: key, Holder: h.Name, Incarnation: h.Incarnation, Meta: h.Meta, TTL: ttl.String()}
	if err := enc.Encode(v); err != nil {
		panic(err) // strings and a number: cannot fail
	}
	return strings.TrimSuffix(buf.String(), "\n")
}

// sight reads what stands in the directory of key. What does not look as if it had been written here is an error
// marked [lease.ErrPermanent].
func (m *Manager) sight(key string, kvs []*mvccpb.KeyValue, revision int64) (sight, error) {
	s := sight{Lease: lease.Lease{Key: key}, revision: revision}
	if len(kvs) == 0 {
		return s, nil
	}
	kv := kvs[0]
	s.name, s.id, s.modified = string(kv.Key), clientv3.LeaseID(kv.Lease), kv.ModRevision
	s.Term = lease.Term(kv.CreateRevision)
	var err error
	switch s.Holder, s.ttl, err = decode(key, kv.Value); {
	case err != nil:
	case len(kvs) > 1:
		err = fmt.Errorf("%.80q stands beside it", kvs[1].Key)
	case s.id == clientv3.NoLease:
		err = errors.New("it has no etcd lease, so it would never end")
	case kv.CreateRevision <= 0:
		err = fmt.Errorf("its revision is %d", kv.CreateRevision)
	}
	if err != nil {
		return sight{}, lease.Permanent(fmt.Errorf("%q in etcd is no lease of this library: %w; once nobody leads, remove "+
			"it: etcdctl del --prefix -- %q", s.name, err, m.dir(key)))
	}
	return s, nil
}

func decode(key string, text []byte) (lease.Holder, time.Duration, error) {
	if len(text) > maxSize {
		return lease.Holder{}, 0, fmt.Errorf("it is longer than %d bytes", maxSize)
	}
	// The format comes first: a later one may have fields that this program does not know.
	var head struct {
		Format *int `json:"tenure"`
	}
	switch err := json.Unmarshal(text, &head); {
	case err != nil:
		return lease.Holder{}, 0, fmt.Errorf("it is not the JSON of a lease (%w)", err)
	case head.Format == nil:
		return lease.Holder{}, 0, errors.New(`it has no field "tenure"`)
	case *head.Format != format:
		return lease.Holder{}, 0, fmt.Errorf("its format is %d and this program knows %d", *head.Format, format)
	}
	var v value
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return lease.Holder{}, 0, fmt.Errorf("it is not the JSON of a lease (%w)", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return lease.Holder{}, 0, errors.New("something follows the JSON")
	}
	h := lease.Holder{Name: v.Holder, Incarnation: v.Incarnation, Meta: v.Meta}
	ttl, err := time.ParseDuration(v.TTL)
	switch check := h.Check(); {
	case v.Key != key:
		return lease.Holder{}, 0, fmt.Errorf("it belongs to the key %.60q", v.Key)
	case check != nil:
		return lease.Holder{}, 0, errors.New(strings.ReplaceAll(check.Error(), "\n", "; "))
	case err != nil || ttl <= 0:
		return lease.Holder{}, 0, fmt.Errorf("its ttl %.40q is not a duration of more than 0", v.TTL)
	}
	return h, ttl, nil
}
