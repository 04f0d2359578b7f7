package iscsitest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Target is a correct target: it authenticates, negotiates, redirects, answers SendTargets, NOP-Out
// and Logout, and checks that the initiator conforms to the RFC. It has no disks: a SCSI command is
// rejected. The zero Target has every name and accepts every initiator. Its fields must not change
// while it serves; one Target serves any number of connections at once.
type Target struct {
	// Name is the target; a login to another is refused with 0203. Empty serves any name.
	Name string
	// Portals are the addresses that SendTargets lists, host:port,tpgt.
	Portals []string
	// TPGT is the portal group tag.
	TPGT uint16
	// Initiators may log in; others are refused with 0202. None: all may.
	Initiators []string
	// Auth, if not nil, is required in normal and discovery sessions.
	Auth *Auth
	// Security refuses a login that begins in the operational stage with this status; 0 does
	// not.
	Security iscsi.Status
	// Redirect, if not empty, sends every normal login to that address: 0101, or 0102 if
	// Permanent.
	Redirect  string
	Permanent bool
	// Digest is accepted as header and data digest if the initiator offers it, besides None.
	// Those of CRC32C are computed and checked.
	Digest string
	// RequireCRC32C are those of the keys HeaderDigest and DataDigest for which only CRC32C is
	// accepted: a login that does not offer it is refused with 0200.
	RequireCRC32C []string
	// NoDigestLists refuses a login that offers several digests for one key with this status; 0
	// does not, Closes closes the connection.
	NoDigestLists iscsi.Status
	// Part is the longest text in one PDU, so that a longer one needs the C bit; 0 means 8192.
	Part int
	// Admit, if not 0, is how many connections may be logging in at once, each of them for Hold
	// at least. The others get the status Full; 0 closes.
	Admit int
	Hold  time.Duration
	Full  iscsi.Status
	// Opened, if set, is called with each normal session that was opened, before anything of it
	// is read, from the goroutine that serves conn.
	Opened func(isid [6]byte, conn net.Conn)

	mu       sync.Mutex // guards sessions
	sessions map[session]net.Conn
	logging  atomic.Int32
	logins   atomic.Int64
	refusals atomic.Int64
}

// Logins returns how many logins reached full feature phase.
func (t *Target) Logins() int { return int(t.logins.Load()) }

// Refusals returns how many connections were refused because of Admit.
func (t *Target) Refusals() int { return int(t.refusals.Load()) }

// Serve serves one connection and closes it. It returns nil if the session ended well or the login
// was refused, an error that wraps io.EOF if the initiator left before, and any other error if the
// initiator broke the RFC.
func (t *Target) Serve(conn net.Conn) error {
	defer conn.Close()
	c := &connection{target: t, conn: conn, pipe: iscsi.NewTCPPipe(conn)}
	if err := c.login(); err != nil {
		if errors.Is(err, errRefused) {
			return nil
		}
		return fmt.Errorf("login: %w", err)
	}
	t.logins.Add(1)
	c.pipe.SetDigests(c.digests["HeaderDigest=CRC32C"], c.digests["DataDigest=CRC32C"])
	id := t.open(c)
	defer t.end(id, conn)
	if t.Opened != nil && !c.discovery {
		t.Opened(c.first.ISID, conn)
	}
	if err := c.fullFeature(); err != nil {
		return fmt.Errorf("full feature phase: %w", err)
	}
	return nil
}

// Start serves the far end of an in-memory connection and returns the near end. wait closes the
// near end and returns what Serve did.
func (t *Target) Start() (conn net.Conn, wait func() error) {
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- t.Serve(far) }()
	return near, func() error {
		near.Close()
		return <-done
	}
}

// admit adds a login to those in progress, if fewer than Admit are.
func (t *Target) admit() bool {
	if t.Admit == 0 {
		return true
	}
	if int(t.logging.Add(1)) > t.Admit {
		t.logging.Add(-1)
		t.refusals.Add(1)
		return false
	}
	return true
}

// leave removes the login from those in progress after Hold.
func (t *Target) leave() {
	if t.Admit > 0 {
		time.AfterFunc(t.Hold, func() { t.logging.Add(-1) })
	}
}

// session identifies a session (RFC 7143 4.4.3.1).
type session struct {
	initiator, target string
	isid              [6]byte
}

// Sessions returns how many normal sessions are open.
func (t *Target) Sessions() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sessions)
}

// open records a normal session and closes the one that it reinstates (RFC 7143 6.3.5).
func (t *Target) open(c *connection) session {
	id := session{c.names["InitiatorName"], c.names["TargetName"], c.first.ISID}
	if c.discovery {
		return id
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions == nil {
		t.sessions = map[session]net.Conn{}
	}
	if old := t.sessions[id]; old != nil {
		_ = old.Close()
	}
	t.sessions[id] = c.conn
	return id
}

func (t *Target) end(id session, conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[id] == conn {
		delete(t.sessions, id)
	}
}

// errRefused ends a connection that got a status.
var errRefused = errors.New("refused")

// connection is one connection of a Target.
type connection struct {
	target *Target
	conn   net.Conn
	pipe   *iscsi.TCPPipe

	first     *iscsi.LoginRequest // header of the first request
	requests  int
	names     map[string]string // what the initiator declared
	seen      map[string]bool   // its keys
	digests   map[string]bool   // what was agreed to
	statSN    uint32
	discovery bool
	auth      *authentication
	cmdSN     uint32
}

func (c *connection) receive() (*iscsi.PDU, error) { return c.pipe.Receive(context.Background()) }

func (c *connection) write(p *iscsi.PDU) error { return c.pipe.Send(context.Background(), p) }

// fullFeature answers the PDUs of full feature phase that need no disk.
func (c *connection) fullFeature() error {
	for {
		p, err := c.receive()
		if !c.discovery && (errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)) {
			return nil // a normal session ends so in tests, or is reinstated
		}
		if err != nil {
			return err
		}
		switch p.Opcode() {
		case iscsi.OpNOPOut:
			err = c.ping(p)
		case iscsi.OpTextRequest:
			err = c.text(p)
		case iscsi.OpLogoutRequest:
			return c.logout(p)
		default:
			err = c.write(iscsi.RejectReason(rejectNotSupported).PDU(p.BHS))
		}
		if err != nil {
			return err
		}
	}
}

// rejectNotSupported is "command not supported" (RFC 7143 11.17.1).
const rejectNotSupported = 0x05

// nextStatSN numbers a response.
func (c *connection) nextStatSN() uint32 {
	c.statSN++
	return c.statSN - 1
}

// maxCmdSN is the end of the command window, wide enough for any test.
func (c *connection) maxCmdSN() uint32 { return c.cmdSN + 127 }
