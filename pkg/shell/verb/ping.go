package verb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

func pingVerb() Verb {
	return Verb{
		Name: "ping", Args: "[-c COUNT] [-W SECONDS] ADDRESS", Help: "send ICMP echo requests to a host (default 4)", Group: Network,
		Run: func(ctx context.Context, c *Call) error {
			o, args, err := c.options("c:W:46n")
			if err != nil {
				return err
			}
			if len(args) != 1 {
				return usage("needs one address")
			}
			p := pinger{Call: c, count: 4, wait: time.Second}
			if o.has('c') {
				if p.count, err = strconv.Atoi(o['c']); err != nil {
					return usage("-c %s: not a number", o['c'])
				}
			}
			if o.has('W') {
				s, err := strconv.ParseFloat(o['W'], 64)
				if err != nil || s <= 0 || s > 3600 {
					return usage("-W %s: not a number of seconds", o['W'])
				}
				p.wait = time.Duration(s * float64(time.Second))
			}
			if p.to, err = net.ResolveIPAddr("ip", args[0]); err != nil {
				return err
			}
			return p.run(ctx)
		},
	}
}

// ICMP types (RFC 792, RFC 4443 section 4).
const (
	echoReply4   = 0
	echo4        = 8
	echo6        = 128
	echoReply6   = 129
	icmpHeader   = 8           // type, code, checksum, identifier, sequence number
	pingInterval = time.Second // as of ping(8)
)

type pinger struct {
	*Call
	to    *net.IPAddr
	count int
	wait  time.Duration
	id    uint16
}

func (p *pinger) run(ctx context.Context) error {
	network := "ip4:icmp"
	if p.to.IP.To4() == nil {
		network = "ip6:ipv6-icmp"
	}
	conn, err := net.DialIP(network, nil, p.to)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, contain.Func("the end of a ping", func() { _ = conn.Close() }, nil))()
	p.id = uint16(os.Getpid()) ^ uint16(time.Now().UnixNano())
	answers := 0
	for seq := 1; seq <= p.count && ctx.Err() == nil; seq++ {
		began := time.Now()
		ok, err := p.once(conn, uint16(seq))
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		if ok {
			answers++
		}
		if seq < p.count {
			_ = sleepVerb().Run(ctx, &Call{Args: []string{fmt.Sprint(max(0, pingInterval-time.Since(began)).Seconds())}})
		}
	}
	if err := p.Printf("%s answered %d of %d\n", p.to, answers, p.count); err != nil {
		return err
	}
	if answers == 0 {
		return errors.Join(ctx.Err(), &StatusError{1})
	}
	return ctx.Err()
}

// once sends one request and waits for its answer.
func (p *pinger) once(conn *net.IPConn, seq uint16) (bool, error) {
	began := time.Now()
	if _, err := conn.Write(echoRequest(p.to.IP.To4() == nil, p.id, seq)); err != nil {
		return false, err
	}
	if err := conn.SetReadDeadline(began.Add(p.wait)); err != nil {
		return false, err
	}
	buf := make([]byte, 1500)
	for {
		n, _, err := conn.ReadFromIP(buf) // without the header of IPv4, which Read leaves
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, p.Printf("%s: no answer to %d in %v\n", p.to, seq, p.wait)
		} else if err != nil {
			return false, err
		}
		if isReply(buf[:n], p.id, seq) {
			return true, p.Printf("%d bytes from %s: seq %d, %.3f ms\n", n, p.to, seq, float64(time.Since(began).Microseconds())/1000)
		}
	}
}

// echoRequest makes the packet. The kernel computes the checksum of ICMPv6, which covers addresses.
func echoRequest(v6 bool, id, seq uint16) []byte {
	b := make([]byte, icmpHeader+56)
	b[0] = echo4
	if v6 {
		b[0] = echo6
	}
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	if !v6 {
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

// isReply reports whether a packet answers the request.
func isReply(b []byte, id, seq uint16) bool {
	return len(b) >= icmpHeader && (b[0] == echoReply4 || b[0] == echoReply6) &&
		binary.BigEndian.Uint16(b[4:]) == id && binary.BigEndian.Uint16(b[6:]) == seq
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 != 0 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
