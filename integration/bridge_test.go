package integration

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// bridgeFiles configure networkd as on a hypervisor: the NIC is a port of a bridge, which has the
// boot's address.
var bridgeFiles = map[string]string{
	"/etc/systemd/network/10-br0.netdev":   "[NetDev]\nName=br0\nKind=bridge\n",
	"/etc/systemd/network/20-port.network": "[Match]\nName=eth0\n\n[Network]\nBridge=br0\n",
	"/etc/systemd/network/30-br0.network":  "[Match]\nName=br0\n\n[Network]\nAddress=10.77.0.2/24\n",
}

// networkd starts and makes the NIC of root's session a port of a bridge; the boot's address moves
// to the bridge. Then the administrator gives the bridge another address, and the session moves to
// it. Last, the target is killed before the system shuts down.
func TestDebianBridgeAndUnreachableTarget(t *testing.T) {
	d := newDebian(t, "managers")
	d.relogins = true
	if err := d.disk.ReplaceFile(2, "/etc/systemd/network/20-wired.network", ""); err != nil {
		t.Fatal(err)
	}
	for name, text := range bridgeFiles {
		if err := d.disk.AddFile(2, name, text); err != nil {
			t.Fatal(err)
		}
	}
	target := d.tgtd()
	d.boot("amd64", "iscsi_if=eth0 iscsi_shutdown_timeout=20 systemd.mask=iscsid.service systemd.wants=systemd-networkd.service")
	d.waitRunning()
	d.run("until networkctl status br0 | grep -q 'State: routable'; do sleep 1; done")
	if got := d.run("ip -o -4 addr show"); !strings.Contains(got, "br0    inet 10.77.0.2/24 ") || strings.Contains(got, "eth0    inet") {
		t.Errorf("the addresses are %q", got)
	}
	d.writeData()
	// networkd removes addresses that it did not configure when it sets up the bridge, and the
	// agent may be the first to add one.
	const putBack = "10.77.0.2.* put back"
	before := d.countLog(putBack)
	d.run("sed -i s/10.77.0.2/10.77.0.3/ /etc/systemd/network/30-br0.network; networkctl reload")
	d.waitLog("its address 10.77.0.2 is gone", 1)
	d.waitLog(sessionRecovered, 1)
	d.writeData()
	if got := d.run("ip -o -4 addr show"); !strings.Contains(got, "br0    inet 10.77.0.3/24 ") || strings.Contains(got, "10.77.0.2/") {
		t.Errorf("the addresses are %q", got)
	}
	if got := d.run("networkctl reload; systemctl restart systemd-networkd; systemctl is-active systemd-networkd"); got != "active" {
		t.Errorf("networkd after its restart: %s", got)
	}
	d.writeData()
	if got := d.run("dmesg -t | grep -e 'I/O error'"); got != "" || d.countLog(putBack) != before {
		t.Errorf("the log: %s; %s", got, d.run("dmesg -t | grep '"+putBack+"'"))
	}
	d.downWithoutTarget(target)
}

// downWithoutTarget kills the target before the shutdown of the real system. systemd then blocks in
// the kernel on its root; the agent, which systemd has notified before, reports that, offlines the
// disk and powers the machine off.
func (d *debian) downWithoutTarget(target *targets.Tgtd) {
	d.t.Helper()
	d.run("until test -x /run/initramfs/shutdown; do sleep 1; done; dmesg -n 7")
	if got := d.run("systemctl show -P LoadState poweroff.target iscsiroot-shutdown@poweroff.service"); got != "loaded\n\nloaded" {
		d.t.Errorf("the units for the shutdown are %q", got)
	}
	if err := target.Stop(); err != nil {
		d.t.Fatal(err)
	}
	d.expect(d.m, "connection lost")
	d.typeLine("kill -s RTMIN+4 1") // systemd(1): starts poweroff.target
	d.expect(d.m, "poweroff: the real system waits for its root disk: session 1 down: bring its target back within 20 s",
		"poweroff: no root disk for 20 s: giving up", "session 1: no end after 5 s: dropping the session")
	if exit, err := d.m.Wait(d.ctx); err != nil || exit.Reason != "guest-shutdown" {
		d.t.Fatalf("machine ended with %+v, %v", exit, err)
	}
}
