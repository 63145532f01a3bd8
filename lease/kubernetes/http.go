package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// HTTP is a [Client] that needs nothing but the standard library. The fields are read, not changed; they must stay as
// they are while it is used.
type HTTP struct {
	// Server is the address of the API server, such as https://10.96.0.1:443. Required.
	Server string
	// Namespace is where the Leases are. Required.
	Namespace string
	// Token returns the bearer token; it is asked for each request, because the tokens of service accounts change. Nil
	// or an empty token: none is sent.
	Token func() (string, error)
	// Client carries out the requests. It must have no timeout of its own, which would end watches: each request ends
	// with its context. Nil means http.DefaultClient.
	Client *http.Client
}

const (
	// maxAnswer is the longest answer that is read. The server takes no object that is longer than half of it.
	maxAnswer = 3 << 20
	// watchFor is how long the server is asked to keep a watch open.
	watchFor = 4 * time.Minute
	// watchSlack is how much longer a watch may take before the connection is considered dead.
	watchSlack = 15 * time.Second
)

// Check returns every fault of h.
func (h *HTTP) Check() error {
	var faults []error
	u, err := url.Parse(h.Server)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		faults = append(faults, fmt.Errorf("kubernetes: HTTP.Server %.80q is not of the form https://HOST:PORT", h.Server))
	}
	if !subdomain.MatchString(h.Namespace) {
		faults = append(faults, fmt.Errorf("kubernetes: HTTP.Namespace %.80q is not the name of a namespace", h.Namespace))
	}
	if h.Client != nil && h.Client.Timeout != 0 {
		faults = append(faults, fmt.Errorf("kubernetes: HTTP.Client has a timeout of %v, which would end watches; leave it "+
			"zero, each request ends with its context", h.Client.Timeout))
	}
	return errors.Join(faults...)
}

// Get returns the Lease; see [Client].
func (h *HTTP) Get(ctx context.Context, name string) ([]byte, error) {
	return h.ask(ctx, http.MethodGet, "/"+url.PathEscape(name), nil)
}

// Create makes a Lease; see [Client].
func (h *HTTP) Create(ctx context.Context, _ string, lease []byte) ([]byte, error) {
	return h.ask(ctx, http.MethodPost, "", lease)
}

// Update replaces a Lease; see [Client].
func (h *HTTP) Update(ctx context.Context, name string, lease []byte) ([]byte, error) {
	return h.ask(ctx, http.MethodPut, "/"+url.PathEscape(name), lease)
}

// Watch follows a Lease; see [Client]. It ends by itself after a few minutes, so that a connection that died
// unnoticed is not waited on for ever.
func (h *HTTP) Watch(ctx context.Context, name string, event func([]byte)) error {
	ctx, cancel := context.WithTimeout(ctx, watchFor+watchSlack)
	defer cancel()
	query := url.Values{
		"watch":          {"true"},
		"fieldSelector":  {"metadata.name=" + name},
		"timeoutSeconds": {fmt.Sprint(int(watchFor.Seconds()))},
	}
	resp, err := h.send(ctx, http.MethodGet, "?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		_, err := read(resp)
		return err
	}
	limited := &io.LimitedReader{R: resp.Body, N: maxAnswer}
	for dec := json.NewDecoder(limited); ; limited.N = maxAnswer {
		var e struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := dec.Decode(&e); err != nil {
			switch {
			case limited.N <= 0:
				return fmt.Errorf("the watch broke: an event is longer than %d bytes", maxAnswer)
			case err == io.EOF:
				return nil
			}
			return fmt.Errorf("the watch broke: %w", err)
		}
		if err := deliver(e.Type, e.Object, event); err != nil {
			return err
		}
	}
}

// deliver hands one event of a watch on.
func deliver(kind string, object []byte, event func([]byte)) error {
	switch kind {
	case "ADDED", "MODIFIED":
		event(object)
	case "DELETED":
		event(nil)
	case "ERROR":
		var s status
		if err := json.Unmarshal(object, &s); err != nil {
			return fmt.Errorf("the watch ended with something else than a reason: %w", err)
		}
		return s.err()
	}
	return nil // a bookmark, or what later servers may tell
}

// ask makes one request and returns the object that answers it.
func (h *HTTP) ask(ctx context.Context, method, rest string, body []byte) ([]byte, error) {
	resp, err := h.send(ctx, method, rest, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return read(resp)
}

func (h *HTTP) send(ctx context.Context, method, rest string, body []byte) (*http.Response, error) {
	address := strings.TrimSuffix(h.Server, "/") +
		"/apis/coordination.k8s.io/v1/namespaces/" + url.PathEscape(h.Namespace) + "/leases" + rest
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, r)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "tenure")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if h.Token != nil {
		token, err := h.Token()
		if err != nil {
			return nil, err
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
	}
	client := h.Client
	if client == nil {
		client = http.DefaultClient
	}
	return client.Do(req)
}

// read returns the object in an answer, or the refusal that it is.
func read(resp *http.Response) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer broke off: %w", err)
	case len(data) > maxAnswer:
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusCreated:
		return data, nil
	}
	var s status
	if json.Unmarshal(data, &s) != nil || s.Kind != "Status" || s.Message == "" {
		s = status{Message: string(bytes.TrimSpace(data[:min(len(data), 200)]))}
		if s.Message == "" {
			s.Message = resp.Status
		}
	}
	s.Code = resp.StatusCode
	return nil, s.err()
}
