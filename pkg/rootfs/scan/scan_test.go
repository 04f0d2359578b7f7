package scan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/calls"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// TestMain runs the tests away from the host.
func TestMain(m *testing.M) { nstest.Main(m) }

// onMachine runs a test whose root directory holds only what it writes, /sys and /dev included.
func onMachine(t *testing.T, f func()) {
	t.Helper()
	nstest.Run(t, unix.CLONE_NEWNS, func() {
		if err := errors.Join(unix.Mount("none", "/sys", "tmpfs", 0, ""), unix.Chroot("/sys"), os.Chdir("/")); err != nil {
			t.Fatal(err)
		}
		f()
	})
}

// attach puts a logical unit of a session into sysfs, as the kernel has it after a scan; a size of
// 0 is that of a disk that is not ready.
func attach(t *testing.T, sid uint32, lun, typ int, disk string, sectors int) {
	t.Helper()
	dir := fmt.Sprintf("/sys/class/iscsi_session/session%d/device/target%d:0:0/%[2]d:0:0:%d", sid, sid+10, lun)
	files := map[string]string{dir + "/type": fmt.Sprintln(typ)}
	if disk != "" {
		files["/sys/class/block/"+disk+"/size"] = fmt.Sprintln(sectors)
		files["/sys/class/block/"+disk+"/ro"] = "0\n"
		files[dir+"/block/"+disk+"/size"] = fmt.Sprintln(sectors)
		files["/dev/"+disk] = ""
	}
	writeFiles(t, files)
}

func writeFiles(t *testing.T, files map[string]string) {
	t.Helper()
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// scannable is a session that the kernel can scan, without an event of the kernel.
func scannable(t *testing.T) (*Kernel, *session.Session) {
	t.Helper()
	k := kerneltest.New()
	t.Cleanup(k.Close)
	transport := k.Transport()
	t.Cleanup(func() { _ = transport.Close() })
	writeFiles(t, map[string]string{
		"/sys/class/iscsi_session/session7/target_id":   "0\n",
		"/sys/class/scsi_host/host17/scan":              "",
		"/sys/class/iscsi_session/session7/device/none": "",
	})
	target := bootspec.Target{Name: bootspec.Value[string]{V: "iqn.x:0"}}
	wait := func(ctx context.Context, done func(uevent.Event) (bool, error)) error {
		if ok, err := done(uevent.Event{}); ok || err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	return &Kernel{Log: &steptest.Recorder{}, Calls: &calls.Set{}, Wait: wait}, session.New(transport.Adopt(7, 17), session.Config{Target: target})
}

// If no other is ready, the time of the step ends the wait, with the LUN and what to do: another
// try can help, if the kernel has a driver for disks.
func TestOnlyDiskIsNotReady(t *testing.T) {
	onMachine(t, func() {
		for _, driver := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				k, s := scannable(t)
				attach(t, 7, 0, 0, "sda", 0)
				if driver {
					writeFiles(t, map[string]string{"/sys/bus/scsi/drivers/sd/bind": ""})
				}
				sc := k.Scanner(s, false)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				luns, err := sc.Scan(ctx, 0)
				var slow *NotReadyError
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
		k := Kernel{Calls: &calls.Set{}}
		sc := k.Scanner(&session.Session{Record: session.Record{SID: 7}}, false)
		for _, tt := range []struct {
			disk  string
			ready bool
			err   error
		}{{"sda", true, nil}, {"sdb", false, nil}, {"sdc", false, nil}, {"", false, nil}, {"sde", false, unix.ELOOP}} {
			u := blockdev.LUN{Session: 7, Disk: tt.disk}
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
		k, s := scannable(t)
		attach(t, 7, 0, 0, "sda", 16384) // a file: ioctl(2) refuses BLKRRPART
		sc := k.Scanner(s, true)
		if luns, err := sc.Scan(t.Context(), 0); !errors.Is(err, unix.ENOTTY) || len(luns) > 0 {
			t.Errorf("%v, %v", luns, err)
		}
		if luns, err := sc.Scan(t.Context(), 0); err != nil || len(luns) != 1 {
			t.Errorf("a second time: %v, %v", luns, err)
		}
	})
}
