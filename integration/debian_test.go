package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// Debian with systemd on Debian's kernel, whose modules it has. This kernel does not rename an
// interface in use; the NIC gets udev's name before it is set up, and udev has nothing to rename.
// At shutdown systemd executes /run/initramfs/shutdown, although /run is noexec.
func TestDebianSystemd(t *testing.T) {
	d := newDebian(t, "systemd")
	if err := d.disk.ReplaceFile(2, "/etc/fstab", "LABEL=root / ext4 errors=remount-ro 0 1\ntmpfs /run tmpfs noexec,nosuid,nodev,mode=0755 0 0\n"); err != nil {
		t.Fatal(err)
	}
	target := d.tgtd()
	d.boot("amd64", "")
	d.waitRunning()
	if got := d.run("ip -o link show ens2"); !strings.Contains(got, ": ens2: ") || !strings.Contains(got, ",LOWER_UP>") {
		t.Errorf("the card is %q", got)
	}
	if got := d.run("udevadm info -q property /sys/class/net/ens2"); !strings.Contains(got, "ID_NET_NAME=ens2") || !strings.Contains(got, "ID_NET_NAME_PATH=enp0s2") {
		t.Errorf("the properties in udev are %q", got)
	}
	if got := d.run("journalctl -b -o cat -t '(udev-worker)' -t systemd-udevd"); strings.Contains(got, "rename") || strings.Contains(got, "98-iscsiroot") {
		t.Errorf("udev logs %q", got)
	}
	if got := d.run("findmnt -rno SOURCE,FSTYPE,OPTIONS /"); !strings.HasPrefix(got, "/dev/sda2 ext4 rw,") {
		t.Errorf("root is %q", got)
	}
	if got := d.run("journalctl -b -o cat -u systemd-fsck-root"); !strings.Contains(got, "clean") {
		t.Errorf("the check of root logs %q", got)
	}
	d.writeData()
	d.run("dmesg -n 7; while ! test -x /run/initramfs/shutdown; do sleep 1; done")
	if got := d.run("findmnt -no OPTIONS /run; /run/initramfs/shutdown status | grep -c 'agent: running'"); !strings.Contains(got, "noexec") || !strings.HasSuffix(got, "\n1") {
		t.Errorf("/run and the status are %q", got)
	}
	d.powerOff()
	d.checkShown(d.m, "iscsiroot: shutdown: poweroff", "iscsiroot: shutdown: session 1: logged out")
	d.checkNotShown(d.m, "shutdown: unmount", "no end after")
	d.loggedOut(target)
}

// The same system on a kernel that it has no modules of, and that renames an interface in use: udev
// renames the NIC of root's session, because iscsi_if= has the kernel's name.
func TestDebianRenamesNIC(t *testing.T) {
	d := newDebian(t, "systemd")
	d.gotgt()
	d.boot("amd64-6.12", "iscsi_if=eth0")
	d.waitRunning()
	if got := d.run("journalctl -b -k -o cat -g renamed"); !strings.Contains(got, "ens2: renamed from eth0 (while UP)") {
		t.Errorf("the kernel logs %q", got)
	}
	if got := d.run("ip -o -4 addr show ens2"); !strings.Contains(got, " 10.77.0.2/24 ") {
		t.Errorf("the card has %q", got)
	}
	d.writeData()
	d.powerOff()
}

// sysvinitLeaves is the text of iscsiroot-agent(8) for /etc/default/halt.
const sysvinitLeaves = `NETDOWN=no
[ "$1" != stop ] || { mount -o remount,exec /run; exec /run/initramfs/shutdown; }
`

// Debian with sysvinit, whose scripts check root and remount it. It does not use the files for
// systemd in /run, and executes /run/initramfs/shutdown from a file of its own.
func TestDebianSysvinit(t *testing.T) {
	d := newDebian(t, "sysvinit")
	if err := d.disk.ReplaceFile(2, "/etc/default/halt", sysvinitLeaves); err != nil {
		t.Fatal(err)
	}
	target := d.tgtd()
	d.boot("amd64", "iscsi_if=eth0") // the name in its /etc/network/interfaces
	if got := d.run("cat /proc/1/comm; runlevel"); got != "init\nN 2" {
		t.Errorf("process 1 and its runlevel are %q", got)
	}
	if got := d.run("findmnt -rno SOURCE,OPTIONS /"); !strings.HasPrefix(got, "/dev/sda2 rw,") {
		t.Errorf("root is %q", got)
	}
	d.checkShown(d.m, "Checking root file system...root: clean")
	d.writeData()
	// /run is noexec there, so test -x would fail; the agent's own /run is not.
	d.run("dmesg -n 7; until test -e /run/initramfs/shutdown && pgrep -f ^@iscsiroot-agent$; do sleep 1; done")
	d.powerOff()
	d.checkShown(d.m, "iscsiroot: shutdown: poweroff", "session 1: logged out")
	d.loggedOut(target)
}

// A write-protected LUN, as for a golden image of many machines. systemd keeps what it writes in
// memory, and root's fstab has root read-only.
func TestDebianReadOnly(t *testing.T) {
	d := newDebian(t, "systemd")
	if err := d.disk.ReplaceFile(2, "/etc/fstab", "LABEL=root / ext4 ro 0 0\ntmpfs /tmp tmpfs defaults 0 0\n"); err != nil {
		t.Fatal(err)
	}
	before := sum(t, d.disk.Path)
	d.startReadOnlyTgtd()
	d.boot("amd64", "systemd.volatile=state")
	d.waitRunning()
	if got := d.run("cat /sys/block/sda/ro; findmnt -rno OPTIONS /; findmnt -rno FSTYPE /var"); got != "1\nro,relatime\ntmpfs" {
		t.Errorf("the disk, root and /var are %q", got)
	}
	if got := d.run("touch /new"); !strings.Contains(got, "Read-only file system") {
		t.Errorf("a file in / is made: %q", got)
	}
	d.powerOff()
	if after := sum(t, d.disk.Path); after != before {
		t.Error("the LUN has changed")
	}
}

// waitRunning waits until systemd has started everything, and checks that no unit failed.
func (d *debian) waitRunning() {
	d.t.Helper()
	if got := d.run("systemctl is-system-running --wait"); got != "running" {
		d.t.Errorf("the system is %s: %s", got, d.run("for u in $(systemctl --failed --no-legend --plain | cut -d ' ' -f 1); do journalctl -b -o short-monotonic -n 20 -u $u; done"))
	}
	if got := d.run("systemctl --failed --no-legend"); got != "" {
		d.t.Errorf("units failed: %s", got)
	}
	if got := d.run("systemctl is-active multi-user.target"); got != "active" {
		d.t.Errorf("multi-user.target is %s", got)
	}
}

// writeData writes a file, reads it back from the LUN, and keeps its checksum for checkData.
func (d *debian) writeData() {
	d.t.Helper()
	if state := d.writeFile(); state != "LOGGED_IN" {
		d.t.Errorf("the session is %q", state)
	}
}

// writeFile is writeData for any state of the sessions, which it returns.
func (d *debian) writeFile() (state string) {
	d.t.Helper()
	got := d.run(fmt.Sprintf("head -c %d /dev/urandom >/root/data; sync; echo 3 >/proc/sys/vm/drop_caches; sha256sum </root/data; cat /sys/class/iscsi_session/session*/state", 2*loadSize()))
	sum, state, _ := strings.Cut(got, "\n")
	d.data, _, _ = strings.Cut(sum, " ")
	return state
}

// checkData compares the file on the LUN with the checksum of writeData.
func (d *debian) checkData() {
	d.t.Helper()
	d.checkDataOf(d.disk, 2)
}

// checkDataOf is checkData for the file system in a partition of a disk.
func (d *debian) checkDataOf(disk *images.Disk, partition int) {
	d.t.Helper()
	b, err := disk.ReadFile(partition, "/root/data")
	if err != nil {
		d.t.Fatal(err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != d.data {
		d.t.Errorf("%d bytes with another sum than the machine's %s", len(b), d.data)
	}
}
