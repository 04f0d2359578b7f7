package bootspec

import (
	"fmt"
	"strconv"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// maxSeconds is the longest timer: the kernel counts it in ticks of a
// millisecond at the finest, in an int (include/linux/jiffies.h: HZ).
const maxSeconds = 2147483

// recoveryTimeout takes neither 0, which fails root at the first lost packet,
// nor -1, with which a machine whose target is away never shuts down: the kernel
// cuts the wait short for positive times only
// (drivers/scsi/libiscsi.c: iscsi_session_failure, iscsi_queuecommand).
func (ps *parser) recoveryTimeout(p cmdline.Param) error {
	return ps.timer(&ps.plan.Login.Timers.Recovery, p, 1)
}

func (ps *parser) pingInterval(p cmdline.Param) error {
	return ps.timer(&ps.plan.Login.Timers.PingInterval, p, 0)
}

func (ps *parser) pingTimeout(p cmdline.Param) error {
	return ps.timer(&ps.plan.Login.Timers.PingTimeout, p, 1)
}

func (ps *parser) timer(dst *Value[time.Duration], p cmdline.Param, least uint64) error {
	n, err := strconv.ParseUint(p.Value, 10, 31)
	if err != nil || n < least || n > maxSeconds {
		return bad(p, "this is no time", fmt.Sprintf("a number of seconds, %d to %d", least, maxSeconds))
	}
	set(ps, dst, time.Duration(n)*time.Second, p)
	return nil
}

func (ps *parser) keepAddress(p cmdline.Param) error {
	set(ps, &ps.plan.Policy.KeepAddress, !off(p.Value), p)
	return nil
}
