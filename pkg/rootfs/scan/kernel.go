// Package scan is the kernel's part of the search of LUNs: it scans sessions for them, waits until
// their disks can be used, and detaches them.
package scan

import (
	"context"
	"fmt"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/calls"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// Sessions are those of the targets.
type Sessions interface {
	calls.Repeater
	List() []*session.Session
}

// Kernel scans sessions, attaches LUNs and detaches them. A session is given by its index in
// Sessions, a LUN by the kernel's number.
type Kernel struct {
	Log      sequence.Logger
	Sessions Sessions
	Calls    *calls.Set // for the system calls that wait for a target
	// Wait calls done immediately, with no event, and after each event of the kernel, until it
	// returns true or an error.
	Wait func(ctx context.Context, done func(uevent.Event) (bool, error)) error
}

// detachLimit is for how long the detachment of a LUN is waited for, and its session to be up.
const detachLimit = 5 * time.Second

// Attached returns the LUNs of a session that are attached.
func (k *Kernel) Attached(i int) ([]blockdev.LUN, error) {
	return blockdev.LUNs("/sys", k.Sessions.List()[i].SID)
}

// AskLimit is for how long the answer of a target to a read is waited for, and its session to be
// up: longer than the kernel waits for the list of LUNs (pkg/blockdev: commandMillis).
const AskLimit = 15 * time.Second

// Report lists the LUNs that the target of a session's disk has, sorted.
func (k *Kernel) Report(ctx context.Context, i int, name string) ([]uint64, error) {
	return calls.Ask(ctx, k.Calls, k.Sessions, k.Sessions.List()[i], AskLimit, "list of the LUNs by "+name, func(context.Context) ([]uint64, error) {
		return blockdev.ReportLUNs("/dev/" + name)
	})
}

// Attach scans a LUN, or all of them, and returns its disks. It waits ReadyLimit for one that is
// not ready: root may be on the next one.
func (k *Kernel) Attach(ctx context.Context, i int, lun uint64) (luns []blockdev.LUN, err error) {
	ctx, cancel := context.WithTimeout(ctx, ReadyLimit)
	defer cancel()
	s := k.Sessions.List()[i]
	err = k.Sessions.RepeatIfLost(ctx, s, func(lost bool) (err error) {
		luns, err = k.Scanner(s, lost).Scan(ctx, lun)
		return err
	})
	return luns, err
}

// Detach removes a LUN; blockdev.ErrInUse: its disk is mounted, or part of another device.
func (k *Kernel) Detach(ctx context.Context, i int, u blockdev.LUN) error {
	what := fmt.Sprintf("detaching lun %v", iscsi.KernelLUN(u.Number))
	_, err := calls.Ask(ctx, k.Calls, k.Sessions, k.Sessions.List()[i], detachLimit, what, func(ctx context.Context) (struct{}, error) {
		used, err := blockdev.InUse("/dev", u.Disk)
		switch {
		case used:
			err = blockdev.ErrInUse
		case ctx.Err() != nil:
			err = ctx.Err() // the caller of calls.Ask has returned
		default:
			if err != nil {
				k.Log.Debugf("%v", err)
			}
			err = blockdev.Detach("/sys", u)
		}
		return struct{}{}, err
	})
	return err
}
