package bootspec

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Timers are the kernel's time limits in a session. Package session has their defaults.
type Timers struct {
	Recovery     Value[time.Duration] // how long I/O is queued while the session is down; 0: it fails immediately; or Forever
	PingInterval Value[time.Duration] // idle time before a NOP-Out; 0: none is sent
	PingTimeout  Value[time.Duration] // for the answer to a NOP-Out; 0: none is sent
	// Mirror is after how long a session that is down is ended, if all that is in use works
	// without its disks; 0: never. See MirrorTimeout.
	Mirror Value[time.Duration]
}

// MirrorTimeout is Mirror, or its default: longer than a target's restart, which costs an array no
// resync then.
func (t Timers) MirrorTimeout() time.Duration { return t.Mirror.Or(10 * time.Second) }

// NoPings reports whether the kernel must not send NOP-Outs: one of the times is 0. The kernel
// itself would use 5 s instead (drivers/scsi/libiscsi.c: iscsi_conn_start).
func (t Timers) NoPings() bool { return t.noPings().Given() }

// noPings returns the time that is 0.
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

// recoveryTimeout reads 0 and negative values as open-iscsi does (iscsid.conf:
// node.session.timeo.replacement_timeout): with 0 I/O fails immediately, with a negative value it
// waits without limit.
func (ps *parser) recoveryTimeout(p cmdline.Param) error {
	text, negative := strings.CutPrefix(p.Value, "-")
	d, ok := seconds(text)
	if !ok {
		return bad(p, "this is not a time", fmt.Sprintf("a number of seconds, 1 to %d, 0 to fail I/O immediately, or -1 to wait without limit", maxSeconds))
	}
	if negative && d > 0 {
		d = Forever
	}
	set(ps, &ps.plan.Login.Timers.Recovery, d, p)
	return nil
}

func (ps *parser) mirrorTimeout(p cmdline.Param) error {
	d, ok := seconds(p.Value)
	if !ok {
		return bad(p, "this is not a time", fmt.Sprintf("a number of seconds, 1 to %d, or 0 to let arrays wait as other disks do", maxSeconds))
	}
	set(ps, &ps.plan.Login.Timers.Mirror, d, p)
	return nil
}

// pingInterval and pingTimeout read 0 as no pings, which open-iscsi's README recommends for root
// (section 8.2).
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

// checkTimers warns of times that are dangerous for a root disk, and of contradictions.
func (ps *parser) checkTimers() {
	t := &ps.plan.Login.Timers
	switch from := t.Recovery.From; {
	case from != "" && t.Recovery.V == 0:
		ps.warnf("%s is 0: I/O on root fails as soon as the connection is lost: write 86400 to wait for a day", from)
	case t.Recovery.V == Forever && ps.plan.Policy.ShutdownTimeout.V == 0:
		// The kernel cuts the wait short for positive times only (drivers/scsi/libiscsi.c:
		// iscsi_session_failure, iscsi_queuecommand).
		ps.warnf("%s sets no limit: without its target the machine cannot shut down: write iscsi_shutdown_timeout=SECONDS to limit the shutdown", from)
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
