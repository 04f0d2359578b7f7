// Package faultproxy is a TCP proxy in front of an iSCSI target that parses PDUs and can inject a
// fault at the n-th of either direction: delay it, drop it, truncate it, forward it byte by byte,
// or end the connection in its place.
//
// PDUs are parsed for as long as a connection logs in, and further while a fault is yet to come in
// their direction; after that bytes pass as they are. A fault behind the login needs a connection
// without digests.
package faultproxy

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// Dialer connects to the target.
type Dialer func(ctx context.Context) (net.Conn, error)

// Proxy passes connections on. Its methods may be called from any goroutine.
type Proxy struct {
	listener net.Listener
	dial     Dialer
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu        sync.Mutex // guards the rest; not held when in or out of a connection is taken
	faults    []Fault
	logins    []Login
	conns     int
	triggered int
	follow    bool
	lag       time.Duration  // see Lag
	sense     sense          // see Sense
	open      []*connection  // in the order in which they came
	live      int            // connections that have passed their login
	next      chan time.Time // see Next; nil: no receiver
}

// Login is the first Login Request of a connection.
type Login struct {
	// Connection counts from 0.
	Connection int
	ISID       [6]byte
	TSIH       uint16
	CmdSN      uint32
}

// Start passes what l accepts on to what dial connects to, until [Proxy.Close].
func Start(l net.Listener, dial Dialer, faults ...Fault) *Proxy {
	p := &Proxy{listener: l, dial: dial, faults: faults}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.running.Go(p.accept)
	return p
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() net.Addr { return p.listener.Addr() }

// Close ends all connections and waits for that.
func (p *Proxy) Close() error {
	p.cancel()
	err := p.listener.Close()
	p.running.Wait()
	return err
}

// Set replaces the faults; connections that are open keep theirs. The next connection is number 0
// to them.
func (p *Proxy) Set(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults, p.conns = faults, 0
}

// Lag delays each Login Request and each ping (NOP-Out) of future connections by d. Commands are
// not delayed.
func (p *Proxy) Lag(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lag = d
}

// Logins are the logins so far.
func (p *Proxy) Logins() []Login {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.logins)
}

// Triggered is the number of faults that have been injected so far.
func (p *Proxy) Triggered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.triggered
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.running.Go(func() { p.serve(conn.(*net.TCPConn)) })
	}
}

// serve passes one connection on until one side ends it.
func (p *Proxy) serve(initiator *net.TCPConn) {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	out, err := p.dial(ctx)
	if err != nil {
		_ = initiator.SetLinger(0) // a reset, as from a host without a listener
		_ = initiator.Close()
		return
	}
	c := p.connection(initiator, out.(*net.TCPConn))
	stop := context.AfterFunc(ctx, c.close)
	defer stop()
	defer p.leave(c)
	var both sync.WaitGroup
	for d := range c.side {
		both.Go(func() {
			if c.pass(ctx, Direction(d)) != nil {
				c.close()
			}
		})
	}
	both.Wait()
	if c.inHole() {
		<-ctx.Done() // an end would come out of the hole
	}
	c.close()
}

// connection draws the faults of a new connection.
func (p *Proxy) connection(initiator, target *net.TCPConn) *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &connection{proxy: p, number: p.conns, side: [2]*net.TCPConn{initiator, target}, hole: make(chan struct{}), follow: p.follow || p.lag > 0, lag: p.lag}
	for _, f := range p.faults {
		if f.applies(p.conns) {
			c.faults[f.Direction] = append(c.faults[f.Direction], f)
		}
	}
	p.conns++
	p.open = append(p.open, c)
	return c
}

// leave removes a connection that has ended.
func (p *Proxy) leave(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = slices.DeleteFunc(p.open, func(o *connection) bool { return o == c })
}

// Live is how many connections have passed their login and carried something since.
func (p *Proxy) Live() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live
}

// Next sends the time of the next PDU after a login from an initiator. PDUs must be parsed, see
// [Proxy.Follow].
func (p *Proxy) Next() <-chan time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = make(chan time.Time, 1)
	return p.next
}

// received records a PDU after a login; first is set for the first one of its connection.
func (p *Proxy) received(first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first {
		p.live++
	}
	if p.next != nil {
		p.next <- time.Now()
		p.next = nil
	}
}

func (p *Proxy) note(l Login) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logins = append(p.logins, l)
}

func (p *Proxy) trigger() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.triggered++
}

// errOver ends a connection that a fault has ended.
var errOver = errors.New("a fault ended the connection")
