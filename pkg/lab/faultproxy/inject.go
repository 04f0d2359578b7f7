package faultproxy

import (
	"errors"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Follow makes the proxy parse the PDUs of all future connections until they end, which
// [Proxy.Inject] needs.
func (p *Proxy) Follow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.follow = true
}

// errNoConnection: there is no connection to inject into.
var errNoConnection = errors.New("no connection has passed its login")

// Inject sends an async message to the initiator of the newest connection, without the target. Its
// numbers are those of the target's last response, so that neither side misses one.
func (p *Proxy) Inject(m iscsi.AsyncMessage) error {
	p.mu.Lock()
	var c *connection
	if len(p.open) > 0 {
		c = p.open[len(p.open)-1]
	}
	p.mu.Unlock()
	if c == nil {
		return errNoConnection
	}
	c.out.Lock()
	defer c.out.Unlock()
	if !c.seen || !c.follow {
		return errNoConnection
	}
	pdu := m.PDU()
	const statSN, end = 24, 36 // StatSN, ExpCmdSN and MaxCmdSN stand in a row (RFC 7143 11.4, 11.9)
	copy(pdu.BHS[statSN:end], c.last[statSN:end])
	b, err := pdu.MarshalBinary()
	if err != nil {
		return err
	}
	_, err = c.side[ToTarget].Write(b)
	return err
}

// BlackHole makes all connections that are open into black holes, and returns how many there were.
// PDUs must be parsed, see [Proxy.Follow].
func (p *Proxy) BlackHole() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.once.Do(func() { close(c.hole) })
	}
	return len(p.open)
}

// Reset ends all connections with a reset to both sides, and returns how many there were.
func (p *Proxy) Reset() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		for _, s := range c.side {
			_ = s.SetLinger(0)
		}
		c.close()
	}
	return len(p.open)
}
