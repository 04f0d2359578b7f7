package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// Debian with systemd on Debian's kernel, whose modules it has. This kernel gives a card in use no other name, so that the card has
// the one of udev's before it is set up, and udev finds nothing to do. At its end systemd returns to us, although /run is noexec.
func TestDebianSystemd(t *testing.T) {
	d := newDebian(t, "systemd")
	if err := d.disk.ReplaceFile(2, "/etc/fstab", "LABEL=root / ext4 errors=remount-ro 0 1\ntmpfs /run tmpfs noexec,nosuid,nodev,mode=0755 0 0\n"); err != nil {
		t.Fatal(err)
	}
	target := d.tgtd()
	d.boot("amd64", "")
	d.runs()
	if got := d.ask("ip -o link show ens2"); !strings.Contains(got, ": ens2: ") || !strings.Contains(got, ",LOWER_UP>") {
		t.Errorf("the card is %q", got)
	}
	if got := d.ask("udevadm info -q property /sys/class/net/ens2"); !strings.Contains(got, "ID_NET_NAME=ens2") || !strings.Contains(got, "ID_NET_NAME_PATH=enp0s2") {
		t.Errorf("udev has it for %q", got)
	}
	if got := d.ask("journalctl -b -o cat -t '(udev-worker)' -t systemd-udevd"); strings.Contains(got, "rename") || strings.Contains(got, "98-iscsiroot") {
		t.Errorf("udev says %q", got)
	}
	if got := d.ask("findmnt -rno SOURCE,FSTYPE,OPTIONS /"); !strings.HasPrefix(got, "/dev/sda2 ext4 rw,") {
		t.Errorf("root is %q", got)
	}
	if got := d.ask("journalctl -b -o cat -u systemd-fsck-root"); !strings.Contains(got, "clean") {
		t.Errorf("the check of root says %q", got)
	}
	d.writes()
	d.ask("dmesg -n 7; while ! test -x /run/initramfs/shutdown; do sleep 1; done")
	if got := d.ask("findmnt -no OPTIONS /run; /run/initramfs/shutdown status | grep -c 'agent: running'"); !strings.Contains(got, "noexec") || !strings.HasSuffix(got, "\n1") {
		t.Errorf("/run and the status are %q", got)
	}
	d.off()
	d.shows(d.m, "iscsiroot: shutdown: poweroff", "iscsiroot: shutdown: session 1: logged out")
	d.hides(d.m, "shutdown: unmount", "no end after")
	d.loggedOut(target)
}

// The same system on a kernel that it has no modules of, and that renames a
// card in use: root hangs on it while udev does so, because a parameter has the
// kernel's name.
func TestDebianRenamesTheCard(t *testing.T) {
	d := newDebian(t, "systemd")
	d.gotgt()
	d.boot("amd64-6.12", "iscsi_if=eth0")
	d.runs()
	if got := d.ask("journalctl -b -k -o cat -g renamed"); !strings.Contains(got, "ens2: renamed from eth0 (while UP)") {
		t.Errorf("the kernel says %q", got)
	}
	if got := d.ask("ip -o -4 addr show ens2"); !strings.Contains(got, " 10.77.0.2/24 ") {
		t.Errorf("the card has %q", got)
	}
	d.writes()
	d.off()
}

// sysvinitLeaves is what iscsiroot-agent(8) has for /etc/default/halt.
const sysvinitLeaves = `NETDOWN=no
[ "$1" != stop ] || { mount -o remount,exec /run; exec /run/initramfs/shutdown; }
`

// Debian with sysvinit, whose scripts check root and mount it again. It has no use for what systemd would have found in /run,
// and comes to us at its end by a file of its own.
func TestDebianSysvinit(t *testing.T) {
	d := newDebian(t, "sysvinit")
	if err := d.disk.ReplaceFile(2, "/etc/default/halt", sysvinitLeaves); err != nil {
		t.Fatal(err)
	}
	target := d.tgtd()
	d.boot("amd64", "iscsi_if=eth0") // the name in its /etc/network/interfaces
	if got := d.ask("cat /proc/1/comm; runlevel"); got != "init\nN 2" {
		t.Errorf("process 1 and its runlevel are %q", got)
	}
	if got := d.ask("findmnt -rno SOURCE,OPTIONS /"); !strings.HasPrefix(got, "/dev/sda2 rw,") {
		t.Errorf("root is %q", got)
	}
	d.shows(d.m, "Checking root file system...root: clean")
	d.writes()
	// /run is noexec there, which test -x would tell; the agent's own /run is not.
	d.ask("dmesg -n 7; until test -e /run/initramfs/shutdown && pgrep -f ^@iscsiroot-agent$; do sleep 1; done")
	d.off()
	d.shows(d.m, "iscsiroot: shutdown: poweroff", "session 1: logged out")
	d.loggedOut(target)
}

// A LUN that cannot be written: a golden image for many machines. What systemd
// has to write it keeps in memory, and root's fstab says what root is.
func TestDebianReadOnly(t *testing.T) {
	d := newDebian(t, "systemd")
	if err := d.disk.ReplaceFile(2, "/etc/fstab", "LABEL=root / ext4 ro 0 0\ntmpfs /tmp tmpfs defaults 0 0\n"); err != nil {
		t.Fatal(err)
	}
	before := sum(t, d.disk.Path)
	d.readOnlyTgtd()
	d.boot("amd64", "systemd.volatile=state")
	d.runs()
	if got := d.ask("cat /sys/block/sda/ro; findmnt -rno OPTIONS /; findmnt -rno FSTYPE /var"); got != "1\nro,relatime\ntmpfs" {
		t.Errorf("the disk, root and /var are %q", got)
	}
	if got := d.ask("touch /new"); !strings.Contains(got, "Read-only file system") {
		t.Errorf("a file in / is made: %q", got)
	}
	d.off()
	if after := sum(t, d.disk.Path); after != before {
		t.Error("the LUN has changed")
	}
}

// runs waits until systemd has started everything, and looks for what failed.
func (d *debian) runs() {
	d.t.Helper()
	if got := d.ask("systemctl is-system-running --wait"); got != "running" {
		d.t.Errorf("the system is %s: %s", got, d.ask("systemctl --failed"))
	}
	if got := d.ask("systemctl --failed --no-legend"); got != "" {
		d.t.Errorf("units failed: %s", got)
	}
	if got := d.ask("systemctl is-active multi-user.target"); got != "active" {
		d.t.Errorf("multi-user.target is %s", got)
	}
}

// writes writes, reads back from the LUN, and remembers what has to be there
// when the machine is off.
func (d *debian) writes() {
	d.t.Helper()
	got := d.ask(fmt.Sprintf("head -c %d /dev/urandom >/root/data; sync; echo 3 >/proc/sys/vm/drop_caches; sha256sum </root/data; cat /sys/class/iscsi_session/session*/state", 2*loadSize()))
	sum, state, _ := strings.Cut(got, "\n")
	if state != "LOGGED_IN" {
		d.t.Errorf("the session is %q", state)
	}
	d.data, _, _ = strings.Cut(sum, " ")
}

// checkData compares what is on the LUN with what the machine has read.
func (d *debian) checkData() {
	d.t.Helper()
	b, err := d.disk.ReadFile(2, "/root/data")
	if err != nil {
		d.t.Fatal(err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != d.data {
		d.t.Errorf("%d bytes with another sum than the machine's %s", len(b), d.data)
	}
}
