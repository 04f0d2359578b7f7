package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// Ctrl-Alt-Del reboots while we wait for a target that is not there.
func TestCtrlAltDel(t *testing.T) {
	r := newRig(t)
	m := r.bootReboot(virtio, "console=ttyS0 "+seedLine)
	r.expect(m, "iscsiroot: login: login to ")
	r.ctrlAltDel(m)
}

// ctrlAltDel presses it, and waits until the machine has been reset.
func (r *rig) ctrlAltDel(m *lab.Machine) {
	r.t.Helper()
	keys := map[string]any{"keys": []map[string]string{
		{"type": "qcode", "data": "ctrl"}, {"type": "qcode", "data": "alt"}, {"type": "qcode", "data": "delete"},
	}}
	if _, err := m.QMP(r.ctx, "send-key", keys); err != nil {
		r.t.Fatal(err)
	}
	r.expect(m, "iscsiroot: ctrl-alt-del: rebooting")
	if _, err := m.WaitEvent(r.ctx, "RESET"); err != nil {
		r.t.Fatal(err)
	}
}

// An error reaches every console that is named, also with quiet: here a screen
// and a serial line, of which Linux serves one at a time.
func TestTwoConsoles(t *testing.T) {
	r := newRig(t)
	img := virtio
	img.screen = true
	m := r.start(img, lab.MachineConfig{
		Append: "console=ttyS0 console=tty0 quiet iscsi_i=" + initiator,
		NICs:   []lab.NIC{{Tap: r.tap}}, Args: []string{"-vga", "std"},
	})
	r.expect(m, "the target name is not given: write iscsi_t=NAME on the kernel command line", "iscsiroot: reboot in 60 s")
	screen := r.screen(m)
	for _, want := range []string{"the target name is not given", "iscsiroot: reboot in 60 s"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the screen does not show %q but\n%s", want, screen)
		}
	}
}

// screen reads the text of the VGA screen: 25 lines of 80 characters with an
// attribute each, at 0xb8000 (include/video/vga.h).
func (r *rig) screen(m *lab.Machine) string {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "screen")
	_, err := m.QMP(r.ctx, "pmemsave", map[string]any{"val": 0xb8000, "size": 8 * 4096, "filename": file})
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	var text strings.Builder
	for i := 0; i+1 < len(b); i += 2 {
		text.WriteByte(b[i])
	}
	return text.String()
}

// Started by another name, with the mounts of a careless initrd around it.
func TestMountsOfOthers(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	img := virtio
	img.file = built.faulty() + ":/opt/start"
	m := r.boot(img, "", "console=ttyS0 rdinit=/opt/start rd.iscsiroot.fault=mounts "+seedLine)
	r.off(m)
	r.shows(m, "guest: mount: devtmpfs /dev devtmpfs rw,nosuid", "guest: mount: /dev/sda2 / ext4 ro,")
	for line := range strings.SplitSeq(m.Output(), "\n") {
		if strings.Contains(line, "guest: mount: mess /run") && strings.Contains(line, "noexec") {
			t.Errorf("/run still forbids programs: %s", line)
		}
	}
}

// A watchdog that was left running is fed while we wait for a target, and only
// then: with rd.watchdog=0 it ends the machine.
func TestWatchdogIsFed(t *testing.T) { watchdog(newRig(t), "", false) }

func TestWatchdogIsLeftAlone(t *testing.T) { watchdog(newRig(t), " rd.watchdog=0", true) }

func watchdog(r *rig, line string, ends bool) {
	r.t.Helper()
	img := virtio
	img.file = built.guest() + ":/bin/sh"
	img.driver = "i6300esb"
	m := r.start(img, lab.MachineConfig{
		Append: "console=ttyS0 rd.break=drivers rd.shell=/bin/sh rd.timeout=30 rd.emergency=poweroff " + seedLine + line,
		NICs:   []lab.NIC{{Tap: r.tap}}, Args: []string{"-device", "i6300esb", "-action", "watchdog=poweroff"},
	})
	r.expect(m, "guest: watchdog started")
	if ends {
		if _, err := m.WaitEvent(r.ctx, "WATCHDOG"); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	// That is three times what it takes to end the machine.
	r.expect(m, "iscsiroot: step login failed after", "gave up after 30 s")
}

// A clock that jumps by years neither ends a wait nor prolongs it.
func TestClockThatJumps(t *testing.T) {
	r := newRig(t)
	img := virtio
	img.init = built.faulty()
	m := r.boot(img, "", "console=ttyS0 rd.iscsiroot.fault=clock rd.timeout=30 "+seedLine)
	r.expect(m, "attempt 1): trying again", "still trying after 1", "iscsiroot: step login failed after ")
	r.expect(m, "gave up after 30 s (rd.timeout=)")
	if n := strings.Count(m.Output(), "still trying after"); n != 1 {
		t.Errorf("%d lines after the first ten seconds, want 1", n)
	}
}
