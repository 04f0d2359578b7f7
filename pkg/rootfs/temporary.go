package rootfs

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/scan"
)

// unreadError is a device that was found and could not be read.
type unreadError struct {
	on  []reads.Unread
	err error
}

// Error implements error.
func (e *unreadError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *unreadError) Unwrap() error { return e.err }

// unreadOf lists the disks that a search could not read.
func unreadOf(err error) []reads.Unread {
	var one *unreadError
	if errors.As(err, &one) {
		return one.on
	}
	if a := absenceOf(err); a != nil {
		return a.unread
	}
	return nil
}

// temporaryLimit is for how long temporary errors are waited for while root is looked for. A broken
// disk has the same errors.
const temporaryLimit = 30 * time.Second

// rootSearch is a search for root that waits for temporary errors. While a session is down only
// rd.timeout= limits it.
type rootSearch struct {
	st    *Storage
	retry sequence.RetryLog
	since time.Time // of the first such error
	// announced are the sessions for which the search of other LUNs was logged.
	announced map[int]bool
}

// newRootSearch begins a search for "root" or "/usr".
func (st *Storage) newRootSearch(what string) *rootSearch {
	return &rootSearch{st: st, retry: sequence.RetryLog{Log: st.Log, Step: what}}
}

// try searches, and as long as disks could not be read it probes them and searches again, until
// root is found, the limit is over, or root is on what can do without them and has waited for them
// long enough.
func (p *rootSearch) try(ctx context.Context, search func() error) error {
	var pause sequence.Backoff
	for {
		err := search()
		list := unreadOf(err)
		if len(list) == 0 || ctx.Err() != nil || p.over() || p.st.degradedDue(err) {
			if err == nil {
				p.retry.Succeeded()
			}
			return err
		}
		p.retry.Failed(err)
		pause.Wait(ctx)
		p.st.probeAgain(ctx, list)
	}
}

// everywhere searches the LUNs that were not scanned, after a search of those that were, which
// ended with reason.
func (p *rootSearch) everywhere(ctx context.Context, reason error, f finder) error {
	again := false
	return p.try(ctx, func() error {
		if again {
			reason = f.all()
		}
		again = true
		if !absent(reason) {
			return reason
		}
		return p.onOtherLUNs(ctx, reason, f)
	})
}

func (p *rootSearch) over() bool {
	if p.since.IsZero() {
		p.since = time.Now()
	}
	if limit := p.st.Plan.Policy.Timeout.V; limit > 0 && time.Since(p.st.Started) >= limit {
		return true
	}
	return time.Since(p.since) >= temporaryLimit && p.st.Sessions.Down() == ""
}

// probeAgain makes the kernel read the size, names and partitions of disks again, which it does not
// do by itself.
func (st *Storage) probeAgain(ctx context.Context, list []reads.Unread) {
	for _, u := range list {
		disks := st.allDisks()
		at := slices.IndexFunc(disks, func(d *blockdev.Device) bool { return d.Name == u.Disk })
		if at < 0 {
			continue // a LUN that is not counted yet is scanned again
		}
		for _, path := range st.lunsOf(disks[at]) { // none: its session is created again
			if !reads.Down(diskSessions{st}, path.session) {
				st.probePath(ctx, path)
			}
		}
	}
}

func (st *Storage) probePath(ctx context.Context, u sessionLUN) {
	limited, cancel := context.WithTimeout(ctx, scan.ReadyLimit)
	defer cancel()
	s := st.Sessions.List()[u.session]
	err := st.Sessions.RepeatIfLost(limited, s, func(bool) error {
		return st.calls.Once(limited, s.SID, "probe of "+u.Disk, func() error { return blockdev.ProbeAgain("/sys", "/dev", u.Disk) })
	})
	if err != nil {
		st.Log.Debugf("%v", err)
	}
}
