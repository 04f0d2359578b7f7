package rootfs

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// A disk that is not ready is waited for, with one message; it is used when it has a size.
func TestDiskThatGetsReady(t *testing.T) {
	onMachine(t, func() {
		synctest.Test(t, func(t *testing.T) {
			st, all, log := withScans(t, 1)
			st.Spec.Targets[0].LUN = lunGiven(3)
			all.finds[0] = func() { attach(t, 7, 3, 0, "sda", 0) }
			writeFiles(t, map[string]string{"/sys/class/block/sda/device/rescan": ""})
			const ready = 20*time.Second - rescanEvery/2 // between two looks, which would see half of it
			time.AfterFunc(ready, func() { attach(t, 7, 3, 0, "sda", 16384) })
			began := time.Now()
			err := st.FindDisks(t.Context())
			if took := time.Since(began); err != nil || names(st.disks) != "sda" || took < ready || took > ready+rescanEvery {
				t.Errorf("%q, %v after %v", names(st.disks), err, took)
			}
			want := []string{"warning disk sda, lun 3 of iqn.x:0 is not ready: waiting for it", "info disk sda is lun 3 of iqn.x:0"}
			if got := log.Lines(); !slices.Equal(got, want) {
				t.Errorf("log %q", got)
			}
		})
	})
}

// Where no source names the LUN, the ready ones of a target are used after readyLimit, and the one
// that is not is named.
func TestDisksBesideOneThatIsNotReady(t *testing.T) {
	onMachine(t, func() {
		synctest.Test(t, func(t *testing.T) {
			st, all, log := withScans(t, 1)
			all.finds[0] = func() { attach(t, 7, 4, 0, "sda", 16384); attach(t, 7, 5, 0, "", 0) }
			began := time.Now()
			err := st.FindDisks(t.Context())
			if took := time.Since(began); err != nil || names(st.disks) != "sda" || took < readyLimit || took > readyLimit+rescanEvery {
				t.Errorf("%q, %v after %v", names(st.disks), err, took)
			}
			if got := log.Lines(); len(got) != 2 || got[0] != "warning lun 5 of iqn.x:0 is not ready: continuing with the others" {
				t.Errorf("log %q", got)
			}
		})
	})
}

// If no other is ready, the time of the step ends the wait, with the LUN and what to do: another
// try can help, if the kernel has a driver for disks.
func TestOnlyDiskIsNotReady(t *testing.T) {
	onMachine(t, func() {
		for _, driver := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				st, _, _ := withScans(t, 1)
				attach(t, 7, 0, 0, "sda", 0)
				if driver {
					writeFiles(t, map[string]string{"/sys/bus/scsi/drivers/sd/bind": ""})
				}
				sc := scanner{st: st, s: st.Sessions.List()[0], probed: map[string]bool{}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				luns, err := sc.scan(ctx, 0)
				var slow *notReadyError
				if took := time.Since(began); !errors.As(err, &slow) || len(luns) > 0 || took != time.Minute {
					t.Errorf("%v, %v after %v", luns, err, took)
				}
				hint := "the kernel has no driver for disks: does the image hold sd_mod?"
				if driver {
					hint = "bring the LUN online at the target"
				}
				if sequence.Retryable(err) != driver || sequence.Hint(err) != hint {
					t.Errorf("%v: retryable %v, hint %q", err, sequence.Retryable(err), sequence.Hint(err))
				}
			})
		}
	})
}

// What cannot be opened for another reason than that it is not ready is an error.
func TestIsReady(t *testing.T) {
	onMachine(t, func() {
		attach(t, 7, 0, 0, "sda", 16384)
		attach(t, 7, 1, 0, "sdb", 0)
		writeFiles(t, map[string]string{"/sys/class/block/sdc/size": "16384\n", "/dev/sdd/below": ""})
		if err := os.Symlink("sde", "/dev/sde"); err != nil {
			t.Fatal(err)
		}
		sc := scanner{st: New(Config{}), s: someSessions(1)[0]}
		for _, tt := range []struct {
			disk  string
			ready bool
			err   error
		}{{"sda", true, nil}, {"sdb", false, nil}, {"sdc", false, nil}, {"", false, nil}, {"sde", false, unix.ELOOP}} {
			u := *ourDisk(tt.disk, 0, 0).LUN
			if ready, err := sc.isReady(t.Context(), u); ready != tt.ready || !errors.Is(err, tt.err) {
				t.Errorf("%q: %v, %v", tt.disk, ready, err)
			}
		}
	})
}

// A disk whose session was lost during the scan is probed again, once, and that it cannot be is an
// error: its partitions may be unknown.
func TestDoubtfulDisk(t *testing.T) {
	onMachine(t, func() {
		st, _, _ := withScans(t, 1)
		attach(t, 7, 0, 0, "sda", 16384) // a file: ioctl(2) refuses BLKRRPART
		sc := scanner{st: st, s: st.Sessions.List()[0], doubtful: true, probed: map[string]bool{}}
		if luns, err := sc.scan(t.Context(), 0); !errors.Is(err, unix.ENOTTY) || len(luns) > 0 {
			t.Errorf("%v, %v", luns, err)
		}
		if luns, err := sc.scan(t.Context(), 0); err != nil || len(luns) != 1 {
			t.Errorf("a second time: %v, %v", luns, err)
		}
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
