package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// machine is a kernel with one session, its network, a target, and an iscsid that may be stopped.
// It notes when the agent takes part in a login of iscsid's.
type machine struct {
	*rig // for its log, its status and its network
	rand *rand.Rand

	mu      sync.Mutex
	gen     int    // changes when something happens to the connection
	state   string // of the connection: up, bound or failed
	by      string // who bound it
	shown   bool   // as up: what sysfs has, a little late
	stops   uint32
	since   time.Time // state is up
	via     session.Way
	address netip.Addr
	piped   bool // a login of the agent's takes the connection's events
	link    bool
	wentAt  time.Time // when the link went
	flowsAt time.Time // when TCP sends again
	moving  time.Duration
	looked  time.Time

	daemon     bool // iscsid runs
	stopped    bool // or would, but for SIGSTOP
	unread     int
	acting     bool // from its STOP to the end of its login
	violations []string
}

func (m *machine) ID() uint32                 { return 1 }
func (m *machine) String() string             { return "iqn.test:t" }
func (m *machine) Portals() []string          { return nil }
func (m *machine) NIC() string                { return "" }
func (m *machine) IsPath() bool               { return false }
func (m *machine) Stop(context.Context) error { return nil }
func (m *machine) ConnectionLost(error)       {}

func (m *machine) UpdateVia([]session.Way) {}
func (m *machine) LUNsChanged()            {}

func (m *machine) SilentFor(error) time.Duration { return 0 }

func (m *machine) Logout(context.Context) (time.Duration, error) { return 0, nil }

func (m *machine) Duplicate(ctx context.Context, _ []session.Way, wait time.Duration) (bool, error) {
	_ = clock.Sleep(ctx, wait)
	return false, ctx.Err()
}

func (m *machine) Up() (bool, error) { m.mu.Lock(); defer m.mu.Unlock(); return m.shown, nil }

func (m *machine) Bound() (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shown || m.state == "bound", nil
}

func (m *machine) Stops() uint32 { m.mu.Lock(); defer m.mu.Unlock(); return m.stops }

func (m *machine) Via() session.Way { m.mu.Lock(); defer m.mu.Unlock(); return m.via }

func (m *machine) local(w session.Way) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return w.Source == m.address
}

// flows reports whether commands end; mu is held.
func (m *machine) flows() bool {
	return m.state == "up" && m.link && m.via.Source == m.address && !time.Now().Before(m.flowsAt)
}

// Progress has one command after the other, each a millisecond long.
func (m *machine) Progress() (int, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.flows() {
		m.moving += time.Since(m.looked)
	}
	m.looked = time.Now()
	return 1, uint64(m.moving / time.Millisecond), nil
}

type machineConn netip.Addr

func (machineConn) Close() error { return nil }

func (m *machine) Dial(ctx context.Context, _ ...session.Way) (io.Closer, error) {
	for began := time.Now(); ; {
		_ = clock.Sleep(ctx, 2*time.Millisecond)
		m.mu.Lock()
		link, address := m.link, m.address
		m.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case link && time.Since(began) < time.Second: // or its SYN was lost, and the next is late
			return machineConn(address), nil
		}
	}
}

// step does something to the kernel's connection for the agent.
func (m *machine) step(ctx context.Context, step session.Step, do func()) error {
	if err := session.Permitted(ctx, step); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.daemon && !m.stopped && (m.acting || m.by == "iscsid" && m.state == "up" && m.shown) {
		m.violations = append(m.violations, fmt.Sprintf("%s of the agent's while iscsid %s", step,
			map[bool]string{true: "logs in", false: "is logged in"}[m.acting]))
	}
	m.gen++
	do()
	return nil
}

func (m *machine) Login(ctx context.Context, conn io.Closer) error {
	stop := func() error {
		return m.step(ctx, session.StepStop, func() { m.state, m.shown, m.piped, m.stops = "failed", false, false, m.stops+1 })
	}
	if err := stop(); err != nil {
		return err
	}
	gen := 0
	err := m.step(ctx, session.StepBind, func() { m.state, m.by, m.piped, gen = "bound", "agent", true, m.gen })
	if err != nil {
		return err
	}
	if err = m.answered(ctx, gen, "agent", netip.Addr(conn.(machineConn))); err != nil {
		if serr := stop(); serr != nil {
			m.mu.Lock()
			m.piped = false
			m.mu.Unlock()
			return errors.Join(err, serr)
		}
	}
	return err
}

// answered waits for the target's answers to a login, which are lost while the network is away.
func (m *machine) answered(ctx context.Context, gen int, by string, from netip.Addr) error {
	lost := false
	m.mu.Lock()
	wait := time.Duration(10+m.rand.IntN(30)) * time.Millisecond
	m.mu.Unlock()
	for began := time.Now(); ; {
		_ = clock.Sleep(ctx, time.Millisecond)
		m.mu.Lock()
		lost = lost || !m.link || m.address != from
		switch {
		case ctx.Err() != nil:
			m.mu.Unlock()
			return ctx.Err()
		case m.gen != gen:
			m.mu.Unlock()
			return errors.New("target closed the connection")
		case lost && time.Since(began) > 15*time.Second:
			m.mu.Unlock()
			return errors.New("target does not answer")
		case !lost && time.Since(began) > wait:
			m.state, m.shown, m.by, m.piped, m.since = "up", true, by, m.piped && by != "agent", time.Now()
			m.via, m.flowsAt = session.Way{Source: from}, time.Now()
			m.unread += map[bool]int{true: 100}[m.daemon && by == "agent"]
			m.mu.Unlock()
			return nil
		}
		m.mu.Unlock()
	}
}

// breaks resets the connection. The event of one that was logged in just now may be lost; the state
// follows late.
func (m *machine) breaks() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.link || m.state == "failed" || m.acting {
		return
	}
	m.gen++
	m.unread += map[bool]int{true: 100}[m.daemon]
	m.state = "failed"
	if !m.piped {
		gen := m.gen
		time.AfterFunc(time.Duration(m.rand.IntN(50))*time.Millisecond, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.shown = m.shown && m.gen != gen
		})
		if time.Since(m.since) > 900*time.Millisecond || m.rand.IntN(2) == 0 {
			m.events <- kernel.Event{SID: 1, Stops: m.stops, Err: kernel.TargetClosed}
		}
	}
}

// flaps takes the link away for a while.
func (m *machine) flaps(length time.Duration) {
	m.mu.Lock()
	was := m.link
	m.link = false
	if was {
		m.wentAt = time.Now()
	}
	m.mu.Unlock()
	if !was {
		return
	}
	m.network <- Change{CarrierLost: true}
	time.Sleep(length)
	m.mu.Lock()
	stalled := max(time.Since(m.wentAt), m.flowsAt.Sub(m.wentAt)) // TCP doubles its pause
	m.link, m.flowsAt = true, time.Now().Add(stalled)
	m.mu.Unlock()
	m.network <- Change{Up: true, Downtime: length}
}

// readdress gives the machine another address.
func (m *machine) readdress() {
	m.mu.Lock()
	m.address = m.address.Next()
	m.mu.Unlock()
	m.network <- Change{AddressesChanged: true}
}

// iscsid reads the kernel's events and, after the end of a connection, logs in, until ctx ends.
func (m *machine) iscsid(ctx context.Context) {
	for clock.Sleep(ctx, 3*time.Millisecond) == nil {
		m.mu.Lock()
		due := m.daemon && !m.stopped && m.unread > 0
		if due {
			m.unread = 0
			due = m.state == "failed" || m.by == "agent" // of which it read that the old one ended
		}
		m.acting = due
		if due {
			m.gen++
			m.state, m.shown = "failed", false
		}
		m.mu.Unlock()
		for due && ctx.Err() == nil {
			due = !m.reopens(ctx)
		}
	}
}

// reopens is one login of iscsid's.
func (m *machine) reopens(ctx context.Context) bool {
	_ = clock.Sleep(ctx, 20*time.Millisecond)
	m.mu.Lock()
	m.gen++
	gen, from := m.gen, m.address
	m.state, m.by = "bound", "iscsid"
	m.mu.Unlock()
	limit, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	err := m.answered(limit, gen, "iscsid", from)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.piped {
		m.events <- loginResponse()
	}
	if m.acting = err != nil; err != nil {
		m.gen++
		m.state = "failed"
	}
	return err == nil
}

// machineInTime runs a test with an agent on a machine of its own.
func machineInTime(t *testing.T, seed uint64, daemon bool, test func(m *machine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{
			rig:  &rig{fake: &fake{}, events: make(chan kernel.Event, 1<<16), network: make(chan Change, 1<<10)},
			rand: rand.New(rand.NewPCG(seed, 0)), state: "up", shown: true, link: true, address: oldAddr, via: session.Way{Source: oldAddr},
			daemon: daemon,
		}
		a := New(Config{
			Sessions: []Session{m}, Events: m.events, Network: m.network, Log: m.rig, Local: m.local,
			Listeners: func() ([]uint32, error) {
				m.mu.Lock()
				defer m.mu.Unlock()
				if m.daemon {
					return []uint32{99}, nil
				}
				return nil, nil
			},
			Unread:  func(uint32) (int, error) { m.mu.Lock(); defer m.mu.Unlock(); return m.unread, nil },
			Changed: func(s []Status) { m.rig.mu.Lock(); defer m.rig.mu.Unlock(); m.status = s },
		})
		ctx, cancel := context.WithCancel(t.Context())
		var ends sync.WaitGroup
		ends.Go(func() { a.Run(ctx) })
		if daemon {
			ends.Go(func() { m.iscsid(ctx) })
		}
		time.Sleep(time.Minute)
		test(m)
		cancel()
		ends.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, v := range m.violations {
			t.Errorf("seed %d: %s", seed, v)
		}
		if m.sawLog("is over") || m.sawLog("same initiator name") {
			t.Errorf("seed %d: a pause", seed)
		}
		if t.Failed() {
			for _, line := range m.log {
				t.Log(line)
			}
		}
	})
}

// random is for the test's goroutine.
func (m *machine) random(n int) int { m.mu.Lock(); defer m.mu.Unlock(); return m.rand.IntN(n) }

// fault is one of a storm's kinds.
func (m *machine) fault(kinds int) {
	switch m.random(kinds) {
	case 0:
		go m.flaps(time.Duration(20+m.random(1500)) * time.Millisecond)
	case 1:
		m.readdress()
	default:
		m.breaks()
	}
}
