package recovery

import (
	"testing"
	"time"
)

// A hundred overlapping random faults in a minute: resets, some of them during or at the end of a
// login, a flapping link, other addresses. There is no pause, and commands complete a second after
// the last fault.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(20) {
		machineInTime(t, seed, false, func(m *machine) {
			for range 100 {
				m.fault(10)
				time.Sleep(time.Duration(m.random(1200)) * time.Millisecond)
			}
			switch m.random(4) { // the last one
			case 0:
				m.breaks()
			case 1:
				m.readdress()
			case 2:
				m.breaks() // and its login
				time.Sleep(time.Duration(m.random(30)) * time.Millisecond)
				m.flaps(time.Duration(20+m.random(3000)) * time.Millisecond)
			case 3:
				m.flaps(time.Duration(20+m.random(3000)) * time.Millisecond)
			}
			for !m.linked() {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Second)
			if !m.flowing() {
				t.Errorf("seed %d: nothing flows a second after the last break", seed)
			}
			time.Sleep(time.Minute)
			if s := m.rig.state(); !m.flowing() || !s.Up || s.Passive {
				t.Errorf("seed %d: a minute later: %+v", seed, s)
			}
		})
	}
}

// The same with an iscsid that is stopped and continued at random, also during a login of the
// agent: there are never two owners, and the agent logs in a session that iscsid leaves down.
func TestRandomFaultsWithIscsid(t *testing.T) {
	takes := 0
	for seed := range uint64(10) {
		machineInTime(t, seed, true, func(m *machine) {
			for range 40 {
				m.fault(20)
				if m.random(3) == 0 {
					m.signal()
				}
				time.Sleep(time.Duration(m.random(12000)) * time.Millisecond)
			}
			m.cont()
			time.Sleep(5 * time.Second)
			m.breaks()
			time.Sleep(5 * time.Second)
			if s := m.rig.state(); !m.flowing() || !s.Up || !s.Passive {
				t.Errorf("seed %d: iscsid runs: %+v", seed, s)
			}
			m.stop()
			m.breaks()
			time.Sleep(40 * time.Second)
			if s := m.rig.state(); !m.flowing() || !s.Up || s.Passive {
				t.Errorf("seed %d: iscsid is stopped: %+v", seed, s)
			}
			m.breaks()
			for m.stateOf() != "bound" {
				time.Sleep(time.Millisecond)
			}
			m.cont() // in the middle of the agent's login
			time.Sleep(5 * time.Second)
			if s := m.rig.state(); !m.flowing() || !s.Up || !s.Passive {
				t.Errorf("seed %d: iscsid continues: %+v", seed, s)
			}
			if m.sawLog("has not logged session 1 in") {
				takes++
			}
		})
	}
	if takes < 9 {
		t.Errorf("iscsid left the session down in %d of 10 runs", takes)
	}
}

func (m *machine) linked() bool    { m.mu.Lock(); defer m.mu.Unlock(); return m.link }
func (m *machine) flowing() bool   { m.mu.Lock(); defer m.mu.Unlock(); return m.flows() }
func (m *machine) stateOf() string { m.mu.Lock(); defer m.mu.Unlock(); return m.state }

// stop is SIGSTOP, cont SIGCONT, signal either. In the middle of a login iscsid is not stopped.
func (m *machine) stop() {
	for {
		m.mu.Lock()
		acting := m.acting
		m.stopped = m.stopped || !acting
		m.mu.Unlock()
		if !acting {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (m *machine) cont() { m.mu.Lock(); defer m.mu.Unlock(); m.stopped = false }

func (m *machine) signal() {
	m.mu.Lock()
	stopped := m.stopped
	m.mu.Unlock()
	if stopped {
		m.cont()
	} else {
		m.stop()
	}
}
