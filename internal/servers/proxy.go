//go:build linux

package servers

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Fault is what a Proxy does to the connections that pass through it.
type Fault int

const (
	// Pass moves everything at once.
	Pass Fault = iota
	// Blackhole moves nothing in either direction, and accepts connections that get no answer: a partition. What was sent
	// meanwhile arrives after the fault, as what TCP repeats does: a request may be carried out very late.
	Blackhole
	// DropAnswers moves requests and throws answers away: what was asked is done, and nobody hears of it. Connections that
	// lost an answer are reset when the fault ends, because the rest of the answer would make no sense.
	DropAnswers
	// Reset breaks all connections with RST, and every new one too.
	Reset
	// HalfOpen closes all connections at the server and leaves the client with open ones that nobody answers; new ones get
	// no answer either. They are reset when the fault ends.
	HalfOpen
)

// String returns the name of the fault in lower case.
func (f Fault) String() string {
	return [...]string{"pass", "blackhole", "drop answers", "reset", "half open"}[f]
}

// Proxy passes TCP connections on to a server and breaks them on demand. Its methods may be called from any goroutine.
type Proxy struct {
	target   func() string
	listener net.Listener // nil for a link of a Cluster, which is given its connections
	wg       sync.WaitGroup

	mu     sync.Mutex
	fault  Fault
	delay  time.Duration
	change chan struct{} // closed at each change of fault
	closed bool
	pairs  map[*pair]bool
}

// pair is one connection: the client's side and the server's.
type pair struct {
	client, server net.Conn
	lost           bool // an answer was thrown away; guarded by Proxy.mu
}

// NewProxy listens on a free loopback port for connections to target, a host and a port. Close it.
func NewProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("servers: proxy for %s: %w", target, err)
	}
	p := newProxy(func() string { return target })
	p.listener = l
	p.wg.Go(p.accept)
	return p, nil
}

func newProxy(target func() string) *Proxy {
	return &Proxy{target: target, change: make(chan struct{}), pairs: map[*pair]bool{}}
}

// Addr returns the address that clients connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set makes f the fault from now on, for connections that exist and those to come. Pass ends every fault.
func (p *Proxy) Set(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.fault
	p.fault = f
	close(p.change)
	p.change = make(chan struct{})
	for c := range p.pairs {
		switch {
		case f == Reset, before == HalfOpen, before == DropAnswers && c.lost:
			c.reset()
		case f == HalfOpen:
			_ = c.server.Close()
		}
	}
}

// Delay makes every piece of data, in each direction, d late; zero ends it.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Connections returns how many connections are open.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pairs)
}

// Close breaks all connections, stops listening and returns when nothing moves any more. Closing twice does no harm.
func (p *Proxy) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.change)
		for c := range p.pairs {
			c.reset()
		}
	}
	p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

// serve connects to the server, when the fault lets it, and moves data until either side ends.
func (p *Proxy) serve(client net.Conn) {
	c := &pair{client: client}
	if !p.admit(c) {
		c.reset()
		return
	}
	defer p.leave(c)
	var wg sync.WaitGroup
	wg.Go(func() { p.move(c, c.server, c.client, false) })
	p.move(c, c.client, c.server, true)
	wg.Wait()
}

// admit waits until connections may be made, makes one and reports whether there is one.
func (p *Proxy) admit(c *pair) bool {
	c.server = nobody{}
	for {
		p.mu.Lock()
		f, change := p.fault, p.change
		switch {
		case p.closed || f == Reset:
			delete(p.pairs, c)
			p.mu.Unlock()
			return false
		case f == Blackhole || f == HalfOpen:
			p.pairs[c] = true // so that Set and Close reach it
			p.mu.Unlock()
			<-change
			continue
		}
		p.mu.Unlock()
		server, err := net.DialTimeout("tcp", p.target(), 5*time.Second)
		p.mu.Lock()
		if err != nil || p.closed {
			delete(p.pairs, c)
			p.mu.Unlock()
			if err == nil {
				_ = server.Close()
			}
			return false
		}
		c.server = server
		p.pairs[c] = true
		p.mu.Unlock()
		return true
	}
}

func (p *Proxy) leave(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pairs, c)
	_ = c.client.Close()
	_ = c.server.Close()
}

// move carries data from one side to the other. When one direction ends, the other side is told; unless the fault
// is that it must not be.
func (p *Proxy) move(c *pair, from, to net.Conn, request bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && p.pass(c, request) {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	if !request && !p.hush() {
		_ = c.client.Close()
	}
	if request {
		_ = c.server.Close()
	}
}

// hush keeps the end of a connection from the client while the connection is half open, and reports whether the proxy
// resets it later.
func (p *Proxy) hush() bool {
	for half := false; ; half = true {
		p.mu.Lock()
		f, change, closed := p.fault, p.change, p.closed
		p.mu.Unlock()
		if closed || f != HalfOpen {
			return half
		}
		<-change
	}
}

// pass waits until data may pass, and reports whether it may or is thrown away.
func (p *Proxy) pass(c *pair, request bool) bool {
	for {
		p.mu.Lock()
		f, change, delay, closed := p.fault, p.change, p.delay, p.closed
		if f == DropAnswers && !request {
			c.lost = true
		}
		p.mu.Unlock()
		switch {
		case closed || f == Reset:
			return false
		case f == Blackhole || f == HalfOpen:
			<-change
		case f == DropAnswers && !request:
			return false
		default:
			if delay > 0 {
				time.Sleep(delay)
			}
			return true
		}
	}
}

// reset breaks both sides with RST.
func (c *pair) reset() {
	for _, side := range []net.Conn{c.client, c.server} {
		if t, ok := side.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		_ = side.Close()
	}
}

// nobody stands for a server that a connection has not reached yet.
type nobody struct{ net.Conn }

func (nobody) Close() error { return nil }
