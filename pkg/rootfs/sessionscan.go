package rootfs

import (
	"context"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// leaveScan continues without a session's disks: the scan, if it can still succeed, continues
// during the next steps.
func (st *Storage) leaveScan(sc *sessionScan) {
	switch {
	case sc.ended() && sc.err == nil:
	case sc.ended() && !sequence.Retryable(sc.err):
		st.Log.Warnf("%v", sc.err)
	default:
		st.Sessions.Later(sc.index, func(ctx context.Context) {
			defer context.AfterFunc(ctx, contain.Func("end of a scan", sc.cancel, nil))()
			<-sc.done
			if ctx.Err() != nil {
				st.calls.Wait(st.Sessions.List()[sc.index].SID)
				return
			}
			if sc.err != nil && sequence.Retryable(sc.err) {
				st.LateDisks(ctx, sc.index)
			}
		})
	}
}

// sessionScan is the scan of one session, in a goroutine of its own.
type sessionScan struct {
	index  int // of the session
	cancel context.CancelFunc
	done   chan struct{} // closed at its end
	luns   []blockdev.LUN
	err    error
}

// beginScan starts a scan. Its goroutine ends with the scan, which ends with ctx or by cancel
// unless it is in a system call.
func (st *Storage) beginScan(ctx context.Context, i int) *sessionScan {
	sc := &sessionScan{index: i, done: make(chan struct{})}
	ctx, sc.cancel = context.WithCancel(ctx)
	contain.Go("scan", func() {
		defer close(sc.done)
		sc.err = contain.Call("", func() (err error) {
			sc.luns, err = st.sessionDisks(ctx, i)
			return err
		})
	}, nil)
	return sc
}

func (sc *sessionScan) ended() bool {
	select {
	case <-sc.done:
		return true
	default:
		return false
	}
}

// awaitScan returns when a scan has ended, or its session has been down for a while and there are
// others to scan.
func (st *Storage) awaitScan(ctx context.Context, sc *sessionScan) {
	down := make(chan struct{})
	if len(st.Sessions.List()) > 1 {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		contain.Go("wait for an outage", func() {
			if st.Sessions.WaitDown(ctx, sc.index) == nil {
				close(down)
			}
		}, nil)
	}
	select {
	case <-sc.done:
	case <-down:
	}
}

// pathGrace is for how long the scans of other paths are waited for when one to each target has
// ended: their disks are added to the map later.
const pathGrace = 100 * time.Millisecond

// awaitPaths returns when the scan of one path to each target has ended, and pathGrace is over for
// the others, or all have ended or cannot end now.
func (st *Storage) awaitPaths(ctx context.Context, all []*sessionScan) {
	settled := make(chan *sessionScan, len(all))
	var waits []*sessionScan
	for _, sc := range all {
		if isPath(st.Spec.Targets[sc.index]) {
			waits = append(waits, sc)
			contain.Go("wait for a scan", func() { // ends with the scan
				st.awaitScan(ctx, sc)
				settled <- sc
			}, nil)
		}
	}
	found := map[int]bool{} // by the first session of a target
	var enough <-chan time.Time
	for len(waits) > 0 {
		select {
		case sc := <-settled:
			waits = slices.DeleteFunc(waits, func(other *sessionScan) bool { return other == sc })
			if sc.ended() && sc.err == nil {
				found[st.paths(sc.index)[0]] = true
			}
		case <-enough:
			return
		}
		missing := func(sc *sessionScan) bool { return !found[st.paths(sc.index)[0]] }
		if enough == nil && !slices.ContainsFunc(waits, missing) {
			enough = time.After(pathGrace)
		}
	}
}
