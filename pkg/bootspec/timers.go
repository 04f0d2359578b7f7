package bootspec

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Timers are for how long the kernel waits in a session. What is not given is package session's to
// say.
type Timers struct {
	Recovery     Value[time.Duration] // I/O, for a connection that broke to come back; 0: not at all, or Forever
	PingInterval Value[time.Duration] // without traffic, until it pings; 0: it does not
	PingTimeout  Value[time.Duration] // for the answer to a ping; 0: it does not ping
}

// NoPings tells that the kernel shall not ping: one of the times is 0. The kernel itself would take
// 5 s for it (drivers/scsi/libiscsi.c: iscsi_conn_start).
func (t Timers) NoPings() bool { return t.noPings().Given() }

// noPings returns the time that says so.
func (t Timers) noPings() Value[time.Duration] {
	for _, v := range []Value[time.Duration]{t.PingInterval, t.PingTimeout} {
		if v.Given() && v.V == 0 {
			return v
		}
	}
	return Value[time.Duration]{}
}

// maxSeconds is the longest timer: the kernel counts it in ticks of a millisecond at the finest, in
// an int (include/linux/jiffies.h: HZ).
const maxSeconds = 2147483

// recoveryTimeout takes 0 and what is negative as open-iscsi does (iscsid.conf:
// node.session.timeo.replacement_timeout): I/O fails at once, and it waits until the session is
// back.
func (ps *parser) recoveryTimeout(p cmdline.Param) error {
	text, negative := strings.CutPrefix(p.Value, "-")
	d, ok := seconds(text)
	if !ok {
		return bad(p, "this is not a time", fmt.Sprintf("a number of seconds, 1 to %d, 0 to fail I/O at once, or -1 to wait for ever", maxSeconds))
	}
	if negative && d > 0 {
		d = Forever
	}
	set(ps, &ps.plan.Login.Timers.Recovery, d, p)
	return nil
}

// pingInterval and pingTimeout take 0 for no pings, as open-iscsi's README has it for root (section
// 8.2).
func (ps *parser) pingInterval(p cmdline.Param) error {
	return ps.ping(&ps.plan.Login.Timers.PingInterval, p)
}

func (ps *parser) pingTimeout(p cmdline.Param) error {
	return ps.ping(&ps.plan.Login.Timers.PingTimeout, p)
}

func (ps *parser) ping(dst *Value[time.Duration], p cmdline.Param) error {
	d, ok := seconds(p.Value)
	if !ok {
		return bad(p, "this is not a time", fmt.Sprintf("a number of seconds, 1 to %d, or 0 for no pings", maxSeconds))
	}
	set(ps, dst, d, p)
	return nil
}

func seconds(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return time.Duration(n) * time.Second, err == nil && n <= maxSeconds
}

// checkTimers says what the times of a root disk cost, and which of two that contradict each other
// counts.
func (ps *parser) checkTimers() {
	t := &ps.plan.Login.Timers
	switch from := t.Recovery.From; {
	case from != "" && t.Recovery.V == 0:
		ps.warnf("%s is 0: I/O on root fails as soon as its connection is lost: 86400 waits for a day", from)
	case t.Recovery.V == Forever && ps.plan.Policy.ShutdownTimeout.V == 0:
		// The kernel cuts the wait short for positive times only (drivers/scsi/libiscsi.c:
		// iscsi_session_failure, iscsi_queuecommand).
		ps.warnf("%s has no end: a target that is away keeps the machine from shutting down: iscsi_shutdown_timeout=SECONDS limits that", from)
	}
	for _, v := range []Value[time.Duration]{t.PingInterval, t.PingTimeout} {
		if zero := t.noPings(); zero.Given() && v.V != 0 {
			ps.warnf("%s is ignored: %s is 0, which switches pings off", v.From, zero.From)
		}
	}
}

func (ps *parser) keepAddress(p cmdline.Param) error {
	set(ps, &ps.plan.Policy.KeepAddress, !off(p.Value), p)
	return nil
}
