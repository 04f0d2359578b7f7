//go:build soak

package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The number of shutdowns, and of rounds of iscsid under load.
const (
	soakEnds   = 20
	soakIscsid = 10
)

// Twenty power-offs and reboots of a Debian in a row: each time root is clean, the data of the
// round before is there, and the target has no session left.
func TestSoakShutdowns(t *testing.T) {
	d := newDebian(t, "systemd")
	target := d.tgtd()
	for i := range soakEnds {
		d.renew()
		d.boot("amd64", "")
		d.waitRunning()
		if got := d.run("cat /root/round"); i > 0 && got != fmt.Sprint(i-1) {
			t.Fatalf("round %d reads %q from the one before", i, got)
		}
		d.run(fmt.Sprintf("echo %d >/root/round; until test -x /run/initramfs/shutdown; do sleep 1; done", i))
		end, reason := "poweroff", "guest-shutdown"
		if i%2 == 1 {
			end, reason = "reboot", "guest-reset"
		}
		d.typeLine(end)
		exit, err := d.m.Wait(d.ctx)
		if err != nil || exit.Reason != reason {
			t.Fatalf("round %d: %s ended with %+v, %v", i, end, exit, err)
		}
		d.loggedOut(target)
		if err := d.disk.Check(2); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		t.Logf("round %d: %s", i, end)
	}
}

// Ten rounds of a real iscsid under write load: it starts and takes over, recovers the session
// after a reset, is killed, and the agent recovers the session after the next reset.
func TestSoakIscsid(t *testing.T) {
	d := newDebian(t, "managers")
	d.relogins = true
	target := d.tgtd()
	d.boot("amd64", "")
	d.waitRunning()
	d.run(`mkdir /root/load; (i=0; while ! test -e /run/enough; do head -c 256K /dev/urandom >/root/load/$i; sync -f /root/load/$i; ` +
		`sha256sum /root/load/$i >>/run/sums; i=$((i+1)); sleep 0.2; done; touch /run/ended) >/dev/null 2>&1 & true`)
	for i := range soakIscsid {
		d.renew()
		d.run("systemctl start iscsid")
		d.waitLog(standsBy, i+1)
		d.recoverConnection(target)
		d.run("systemctl kill -s KILL iscsid; systemctl stop iscsid iscsid.socket 2>/dev/null; systemctl reset-failed")
		d.waitLog(recoversAgain, i+1)
		d.recoverConnection(target)
		t.Logf("round %d", i)
	}
	d.run("touch /run/enough; until test -e /run/ended; do sleep 1; done; sync; echo 3 >/proc/sys/vm/drop_caches")
	if got := d.run("sha256sum --quiet -c /run/sums && wc -l </run/sums"); strings.Trim(got, "0123456789") != "" {
		t.Errorf("the files written under load: %s", got)
	} else {
		t.Logf("%s files of 256 KiB compared", got)
	}
	d.run("rm -r /root/load")
	d.powerOff()
}

// A soft reboot ends all services of systemd and starts them again on the same kernel: session and
// agent survive it, and the agent still recovers the session.
func TestSoakSoftReboot(t *testing.T) {
	d := newDebian(t, "backports")
	d.relogins = true
	target := d.tgtd()
	d.boot("amd64", "")
	d.waitRunning()
	d.run("until test -x /run/initramfs/shutdown && pgrep -f ^@iscsiroot$; do sleep 1; done")
	agent := d.run("pgrep -f ^@iscsiroot")
	d.run("dmesg -n 7")
	d.typeLine("systemctl soft-reboot")
	d.prompt()
	d.waitRunning()
	if got := d.run("pgrep -f ^@iscsiroot"); got != agent || agent == "" {
		t.Errorf("the agent's processes are %q, before %q", got, agent)
	}
	d.checkNoOutage()
	d.recoverConnection(target)
	if got := d.countLog(sessionRecovered); got != 1 {
		t.Errorf("the agent has recovered %d times", got)
	}
	d.powerOff()
	d.loggedOut(target)
}

// The machine starts another kernel by kexec with a session, which the shutdown logs out; the new
// kernel logs in, and powers off. QEMU without an accelerator may stall for minutes in a kernel
// started by kexec, hence rd.timeout=0.
func TestSoakKexec(t *testing.T) {
	d := newDebian(t, "managers")
	d.kernelInRoot()
	target := d.tgtd()
	d.boot("amd64", "systemd.mask=iscsid.service rd.timeout=0")
	d.waitRunning()
	d.kexec()
	d.writeData()
	d.powerOff()
	d.loggedOut(target)
}

// kernelInRoot copies the kernel and the image that boot the machine to its /boot, for kexec.
func (d *debian) kernelInRoot() {
	d.t.Helper()
	img := image{nics: "virtio_net"}
	k, err := img.find()
	if err != nil {
		d.t.Fatal(err)
	}
	for name, path := range map[string]string{"/boot/vmlinuz": k.Image, "/boot/initrd": img.build(d.t)} {
		b, err := os.ReadFile(path)
		if err != nil {
			d.t.Fatal(err)
		}
		if err := d.disk.AddFile(2, name, string(b)); err != nil {
			d.t.Fatal(err)
		}
	}
}

// kexec starts them in place of the running system, as systemctl kexec does.
func (d *debian) kexec() {
	d.t.Helper()
	d.run("kexec -l /boot/vmlinuz --initrd=/boot/initrd --reuse-cmdline; dmesg -n 7")
	d.typeLine("systemctl kexec")
	d.expect(d.m, "iscsiroot: shutdown: kexec", "session 1: logged out", "Linux version")
	d.login()
	d.waitRunning()
}
