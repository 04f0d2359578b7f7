package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// Ctrl-Alt-Del reboots during the wait for a target that does not exist.
func TestCtrlAltDel(t *testing.T) {
	r := newRig(t)
	m := r.bootReboot(virtio, "console=ttyS0 "+seedLine)
	r.expect(m, "iscsiroot: login: login to ")
	r.ctrlAltDel(m)
}

// ctrlAltDel presses Ctrl-Alt-Del, and waits until the machine has been reset.
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

// An error is printed on every console= that is given, also with quiet: here a screen and a serial
// line, of which /dev/console is only the last.
func TestTwoConsoles(t *testing.T) {
	r := newRig(t)
	img := virtio
	img.screen = true
	m := r.start(img, lab.MachineConfig{
		Append: "console=ttyS0 console=tty0 quiet iscsi_i=" + initiator,
		NICs:   []lab.NIC{{Tap: r.tap}}, Args: []string{"-vga", "std"},
	})
	r.expect(m, "the target name is not given: write iscsi_t=NAME on the kernel command line", "iscsiroot: rebooting in 60 s")
	screen := r.screen(m)
	for _, want := range []string{"the target name is not given", "iscsiroot: rebooting in 60 s"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the screen does not show %q but\n%s", want, screen)
		}
	}
}

// screen reads the text of the VGA screen: 25 lines of 80 characters with an attribute each, at
// 0xb8000 (include/video/vga.h).
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

// /init is started under another name, with mounts left by another initrd.
func TestExistingMounts(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	img := virtio
	img.file = built.faulty() + ":/opt/start"
	m := r.boot(img, "", "console=ttyS0 rdinit=/opt/start rd.iscsiroot.fault=mounts "+seedLine)
	r.waitOff(m)
	r.checkShown(m, "guest: mount: devtmpfs /dev devtmpfs rw,nosuid", "guest: mount: /dev/sda2 / ext4 ro,")
	for line := range strings.SplitSeq(m.Output(), "\n") {
		if strings.Contains(line, "guest: mount: mess /run") && strings.Contains(line, "noexec") {
			t.Errorf("/run is still noexec: %s", line)
		}
	}
}

// A running watchdog gets keepalives during the wait for a target; with rd.watchdog=0 it gets none
// and ends the machine.
func TestWatchdogKeepalive(t *testing.T) { watchdog(newRig(t), "", false) }

func TestWatchdogOff(t *testing.T) { watchdog(newRig(t), " rd.watchdog=0", true) }

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
	// That is three times the watchdog's time-out.
	r.expect(m, "iscsiroot: step login failed after", "gave up after 30 s")
}

// A real-time clock that jumps by years neither ends a wait nor prolongs it.
func TestClockJumps(t *testing.T) {
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
