package rootfs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/scan"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// lookEvery is the interval at which a disk that is not ready is looked at (pkg/rootfs/scan).
const lookEvery = time.Second

// A disk that is not ready is waited for, with one message; it is used when it has a size.
func TestDiskThatGetsReady(t *testing.T) {
	onMachine(t, func() {
		synctest.Test(t, func(t *testing.T) {
			st, all, log := withScans(t, 1)
			st.Spec.Targets[0].LUN = lunGiven(3)
			all.finds[0] = func() { attach(t, 7, 3, 0, "sda", 0) }
			writeFiles(t, map[string]string{"/sys/class/block/sda/device/rescan": ""})
			const ready = 20*time.Second - lookEvery/2 // between two looks, which would see half of it
			time.AfterFunc(ready, func() { attach(t, 7, 3, 0, "sda", 16384) })
			began := time.Now()
			err := st.FindDisks(t.Context())
			if took := time.Since(began); err != nil || names(st.disks) != "sda" || took < ready || took > ready+lookEvery {
				t.Errorf("%q, %v after %v", names(st.disks), err, took)
			}
			want := []string{"warning disk sda, lun 3 of iqn.x:0 is not ready: waiting for it", "info disk sda is lun 3 of iqn.x:0"}
			if got := log.Lines(); !slices.Equal(got, want) {
				t.Errorf("log %q", got)
			}
		})
	})
}

// Where no source names the LUN, the ready ones of a target are used after scan.ReadyLimit, and the
// one that is not is named.
func TestDisksBesideOneThatIsNotReady(t *testing.T) {
	onMachine(t, func() {
		synctest.Test(t, func(t *testing.T) {
			st, all, log := withScans(t, 1)
			all.finds[0] = func() { attach(t, 7, 4, 0, "sda", 16384); attach(t, 7, 5, 0, "", 0) }
			began := time.Now()
			err := st.FindDisks(t.Context())
			if took := time.Since(began); err != nil || names(st.disks) != "sda" || took < scan.ReadyLimit || took > scan.ReadyLimit+lookEvery {
				t.Errorf("%q, %v after %v", names(st.disks), err, took)
			}
			if got := log.Lines(); len(got) != 2 || got[0] != "warning lun 5 of iqn.x:0 is not ready: continuing with the others" {
				t.Errorf("log %q", got)
			}
		})
	})
}

// outage are sessions of which the first loses its connection while it is scanned.
type outage struct {
	*scannable
	asked, over chan struct{} // the scan has begun, and the outage ends
	work        func(context.Context)
}

func (o *outage) RepeatIfLost(ctx context.Context, one *session.Session, work func(bool) error) error {
	if one == o.list[0] {
		close(o.asked)
		<-o.over
		return sequence.AsRetryable(errors.New("session 7 is down"))
	}
	return o.scannable.RepeatIfLost(ctx, one, work)
}

func (o *outage) WaitDown(ctx context.Context, i int) error {
	if i == 0 {
		<-o.asked
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (o *outage) Later(i int, work func(context.Context)) {
	o.scannable.Later(i, work)
	o.work = work
}

// A session that is lost during its scan does not hold up the others: it is scanned beside the next
// steps, and again when that scan has failed.
func TestSessionIsLostDuringScan(t *testing.T) {
	onMachine(t, func() {
		st, all, log := withScans(t, 2)
		all.finds[1] = func() { attach(t, 8, 0, 0, "sdb", 16384) }
		o := &outage{scannable: all, asked: make(chan struct{}), over: make(chan struct{})}
		st.Sessions = o
		if err := st.FindDisks(t.Context()); err != nil || names(st.disks) != "sdb" || !slices.Equal(all.later, []int{0}) {
			t.Errorf("%q, %v, later %v", names(st.disks), err, all.later)
		}
		all.finds[0] = func() { attach(t, 7, 0, 0, "sda", 16384) }
		close(o.over)
		st.Sessions = all // the session is back
		o.work(t.Context())
		st.newDisks(t.Context())
		if names(st.disks) != "sda sdb" || !strings.HasSuffix(strings.Join(log.Lines(), "\n"), "info disk sda is lun 0 of iqn.x:0") {
			t.Errorf("%q, log %q", names(st.disks), log.Lines())
		}
	})
}
