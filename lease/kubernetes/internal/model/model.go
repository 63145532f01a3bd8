// Package model keeps Leases in memory as an API server does: a version for each change of anything, updates on the
// condition of a version, names of objects that come back as others, watches. Tests use it where virtual time is worth
// more than a real server; the same tests of the contract run against a real one.
//
// # Rejected
//
// Admission, defaults, permissions: whoever tests those wants the real server.
package model

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/go-tenure/tenure/lease/kubernetes"
)

// Server is a [kubernetes.Client] and the server behind it. The zero value has no Leases.
type Server struct {
	// Before, if set, is called before each Get, Create and Update is carried out, and After before it is answered; an
	// error becomes the answer. Set them before use.
	Before, After func(ctx context.Context, verb, name string) error

	mu      sync.Mutex
	version uint64
	leases  map[string][]byte
	changed chan struct{} // closed at the next change; nil while nobody waits
}

var _ kubernetes.Client = (*Server)(nil)

// Get returns a Lease.
func (s *Server) Get(ctx context.Context, name string) ([]byte, error) {
	return s.call(ctx, "get", name, func() ([]byte, error) {
		if data, ok := s.leases[name]; ok {
			return data, nil
		}
		return nil, refuse(404, "NotFound", name)
	})
}

// Create makes a Lease unless there is one.
func (s *Server) Create(ctx context.Context, name string, lease []byte) ([]byte, error) {
	return s.call(ctx, "create", name, func() ([]byte, error) {
		if _, ok := s.leases[name]; ok {
			return nil, refuse(409, "AlreadyExists", name)
		}
		return s.put(name, lease, "uid-"+strconv.FormatUint(s.version+1, 10)), nil
	})
}

// Update replaces a Lease that has the version and the uid that lease names. A write that changes nothing is none: the
// version stays.
func (s *Server) Update(ctx context.Context, name string, lease []byte) ([]byte, error) {
	return s.call(ctx, "update", name, func() ([]byte, error) {
		data, ok := s.leases[name]
		if !ok {
			return nil, refuse(404, "NotFound", name)
		}
		old, sent := meta(data), meta(lease)
		if sent["resourceVersion"] != old["resourceVersion"] || sent["uid"] != old["uid"] {
			return nil, refuse(409, "Conflict", name)
		}
		if string(stored(name, lease, fmt.Sprint(old["uid"]), s.version)) == string(stored(name, data, "", s.version)) {
			return data, nil
		}
		return s.put(name, lease, fmt.Sprint(old["uid"])), nil
	})
}

// Delete removes a Lease, if there is one.
func (s *Server) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	delete(s.leases, name)
	s.tell()
}

// Edit changes a Lease as a person does with kubectl.
func (s *Server) Edit(name string, change func(metadata, spec map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var o struct {
		Metadata map[string]any `json:"metadata"`
		Spec     map[string]any `json:"spec"`
	}
	_ = json.Unmarshal(s.leases[name], &o)
	change(o.Metadata, o.Spec)
	edited, _ := json.Marshal(o)
	s.put(name, edited, fmt.Sprint(o.Metadata["uid"]))
}

// Watch tells of a Lease, now and after each change; of several changes at once it tells the last.
func (s *Server) Watch(ctx context.Context, name string, event func([]byte)) error {
	var last []byte
	for {
		s.mu.Lock()
		data := s.leases[name]
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		if string(data) != string(last) {
			event(data)
		}
		last = data
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (s *Server) call(ctx context.Context, verb, name string, do func() ([]byte, error)) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.Before != nil {
		if err := s.Before(ctx, verb, name); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	data, err := do()
	s.mu.Unlock()
	if s.After != nil {
		if err := s.After(ctx, verb, name); err != nil {
			return nil, err
		}
	}
	return data, err
}

// put stores a Lease under the next version.
func (s *Server) put(name string, lease []byte, uid string) []byte {
	s.version++
	if s.leases == nil {
		s.leases = map[string][]byte{}
	}
	s.leases[name] = stored(name, lease, uid, s.version)
	s.tell()
	return s.leases[name]
}

// stored is a Lease with the metadata that a server gives it; an empty uid stays as it is.
func stored(name string, lease []byte, uid string, version uint64) []byte {
	whole := map[string]json.RawMessage{}
	_ = json.Unmarshal(lease, &whole)
	m := meta(lease)
	m["name"], m["resourceVersion"] = name, strconv.FormatUint(version, 10)
	if uid != "" {
		m["uid"] = uid
	}
	whole["metadata"], _ = json.Marshal(m)
	data, _ := json.Marshal(whole)
	return data
}

func (s *Server) tell() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

func meta(lease []byte) map[string]any {
	var o struct{ Metadata map[string]any }
	_ = json.Unmarshal(lease, &o)
	if o.Metadata == nil {
		o.Metadata = map[string]any{}
	}
	return o.Metadata
}

func refuse(code int, reason, name string) error {
	return &kubernetes.StatusError{
		Code: code, Reason: reason, Kind: "leases", Message: fmt.Sprintf("leases %q: %s", name, reason),
	}
}
