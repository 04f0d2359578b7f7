package integration

import (
	"strings"
	"testing"
)

// systemd returns to us at its end: root is unmounted, the disk's cache written
// back, and the target is told, which is then without a session.
func TestShutdownLogsOut(t *testing.T) {
	d := newDebian(t, "systemd")
	target := d.tgtd()
	d.boot("amd64", "rw")
	d.runs()
	d.writes()
	d.ask("dmesg -n 7; while ! test -x /run/initramfs/shutdown; do sleep 1; done")
	d.typeLine("poweroff")
	d.expect(d.m, "iscsiroot: shutdown: poweroff", "iscsiroot: shutdown: logged out")
	if exit, err := d.m.Wait(d.ctx); err != nil || exit.Reason != "guest-shutdown" {
		t.Fatalf("machine ended with %+v, %v", exit, err)
	}
	text, err := target.Admin(d.ctx, "--op", "show", "--mode", "conn", "--tid", "1")
	if err != nil || strings.Contains(text, "Session") {
		t.Errorf("the target still has %q, %v", text, err)
	}
	for _, bad := range []string{"I/O error", "EXT4-fs error", "shutdown: unmount", "no end after"} {
		if strings.Contains(d.m.Output(), bad) {
			t.Errorf("the console shows %q", bad)
		}
	}
	if err := target.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := d.disk.Check(2); err != nil {
		t.Error(err)
	}
	d.checkData()
}
