package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-tenure/tenure/actor"
)

// webServer serves what --http asks for. A nil one serves nothing.
type webServer struct {
	listener net.Listener
	server   http.Server
}

// listenHTTP listens on addr, on the loopback interface unless addr names a host. It returns nil for an empty addr.
func listenHTTP(addr string) (*webServer, error) {
	if addr == "" {
		return nil, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("--http %q is no address: %v; write :PORT or HOST:PORT", addr, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("--http %q: %w; choose another address", addr, err)
	}
	return &webServer{listener: l}, nil
}

func (w *webServer) serve(helpers *sync.WaitGroup, r *runner) {
	if w == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /livez", r.node.Livez())
	mux.Handle("GET /readyz", r.node.Readyz())
	mux.Handle("GET /leader", r.campaign.Leaderz())
	mux.HandleFunc("GET /status", r.serveStatus)
	w.server = http.Server{
		Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10,
	}
	r.log.Info("serving", "address", "http://"+w.listener.Addr().String())
	helpers.Go(func() {
		if err := w.server.Serve(w.listener); !errors.Is(err, http.ErrServerClosed) {
			r.log.Error("no longer serving", "err", err)
		}
	})
}

func (w *webServer) close() {
	if w != nil {
		w.server.Close()
		w.listener.Close()
	}
}

// serveStatus says all there is to say, with code 200 whether this process leads or not.
func (r *runner) serveStatus(w http.ResponseWriter, _ *http.Request) {
	st := struct {
		Name     string       `json:"name"`
		TTL      float64      `json:"ttl_seconds"`
		Command  []string     `json:"command"`
		PID      int          `json:"pid,omitempty"` // of the command, while it runs
		Election actor.Status `json:"election"`
	}{Name: r.node.Holder().Name, TTL: r.o.timing.TTL.Seconds(), Command: r.o.args[:1], Election: r.campaign.Status()}
	if g := r.child.Load(); g != nil {
		st.PID = int(g.pid.Load())
	}
	text, err := json.Marshal(st)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(text, '\n'))
}
