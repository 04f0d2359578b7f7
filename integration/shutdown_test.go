package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// The target is killed before an init that is process 1 executes /run/initramfs/shutdown: the old
// root is moved away, the blocked session is dropped, and the machine powers off. With a running
// target the same path unmounts root and logs the session out.
func TestShutdownWithoutTarget(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{true, false} {
		t.Run(map[bool]string{true: "lost", false: "reachable"}[lost], func(t *testing.T) {
			r := newRig(t)
			r.makeDisk(images.Filesystem{Type: "ext4", MiB: 96, Tree: root("down")})
			target := r.tgtd()
			m := r.boot(virtio, "", "console=ttyS0 rw "+seedLine)
			r.expect(m, "guest: ready to go down")
			if lost {
				if err := target.Stop(); err != nil {
					t.Fatal(err)
				}
				r.expect(m, "connection lost")
			}
			began := time.Now()
			if err := m.Send("\n"); err != nil {
				t.Fatal(err)
			}
			exit, err := m.Wait(r.ctx)
			if err != nil || exit.Reason != "guest-shutdown" {
				t.Fatalf("machine ended with %+v, %v", exit, err)
			}
			t.Logf("down after %.1f s", time.Since(began).Seconds())
			if lost {
				r.checkShown(m, "/oldroot: its disk does not answer", "session 1: no end after 5 s: dropping the session")
				return
			}
			r.checkShown(m, "session 1: logged out")
			if err := target.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := r.disk.Check(2); err != nil {
				t.Error(err)
			}
			if b, err := r.disk.ReadFile(2, "/late"); err != nil || strings.Trim(string(b), "x") != "" || len(b) != 1<<20 {
				t.Errorf("%d bytes of the file written last, %v", len(b), err)
			}
		})
	}
}

// loggedOut checks that the target has no session left.
func (r *rig) loggedOut(target *targets.Tgtd) {
	r.t.Helper()
	text, err := target.Admin(r.ctx, "--op", "show", "--mode", "conn", "--tid", "1")
	if err != nil || strings.Contains(text, "Session") {
		r.t.Errorf("the target still has %q, %v", text, err)
	}
}

// busybox's init runs the shutdown lines of its inittab, and powers the machine off itself:
// shutdown leave does all but that, in a process beside process 1.
func TestShutdownBusybox(t *testing.T) {
	r := newRig(t)
	tree, err := images.BusyboxRoot()
	if err != nil {
		t.Fatal(err)
	}
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 64, Tree: tree})
	target := r.tgtd()
	m := r.boot(virtio, "", "console=ttyS0 rw "+seedLine)
	r.expect(m, "Type poweroff")
	if err := m.Send("echo late >/late; until test -x /run/initramfs/shutdown; do sleep 1; done; poweroff\n"); err != nil {
		t.Fatal(err)
	}
	r.expect(m, "iscsiroot: shutdown: leave", "session 1: logged out")
	if exit, err := m.Wait(r.ctx); err != nil || exit.Reason != "guest-shutdown" {
		t.Fatalf("machine ended with %+v, %v", exit, err)
	}
	r.loggedOut(target)
	if err := target.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := r.disk.Check(2); err != nil {
		t.Error(err)
	}
	if b, err := r.disk.ReadFile(2, "/late"); err != nil || string(b) != "late\n" {
		t.Errorf("the file written last is %q, %v", b, err)
	}
}
