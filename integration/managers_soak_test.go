//go:build soak

package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// A hundred faults within a minute, at random, from three seeds.
func TestSoakManyOutages(t *testing.T) {
	for range 3 {
		t.Run("", func(t *testing.T) { manyOutages(t, time.Minute, 100) })
	}
}

// multipathd fails to create a map of root's disk, and has written recovery_tmo=5 by then: an
// outage of thirty seconds is still no error.
func TestSoakMultipathd(t *testing.T) {
	d := newDebian(t, "stack")
	d.relogins = true
	target := d.tgtd()
	d.boot("amd64", "")
	d.waitRunning()
	if got := d.run("systemctl is-active multipathd; multipath -ll"); got != "active" {
		t.Fatalf("multipathd is %q", got)
	}
	d.waitLog("multipathd set recovery_tmo of session 1 to 5", 1)
	d.run("multipathd reconfigure; sleep 5")
	if got := d.run("cat /sys/class/iscsi_session/session1/recovery_tmo"); got != "86400" {
		t.Errorf("the session holds commands for %s s", got)
	}
	if got := d.run("/run/initramfs/shutdown status"); !strings.Contains(got, "multipathd") {
		t.Errorf("status is %s", got)
	}
	d.away(target, 30*time.Second)
	// A value that another program writes is kept.
	d.run("echo 777 >/sys/class/iscsi_session/session1/recovery_tmo; sleep 3; multipathd reconfigure; sleep 5")
	if got := d.run("cat /sys/class/iscsi_session/session1/recovery_tmo"); got != "777" {
		t.Errorf("the session holds commands for %s s", got)
	}
	d.powerOff()
}

// away stops the target for a time, and starts it again.
func (d *debian) away(target *targets.Tgtd, long time.Duration) {
	d.t.Helper()
	if err := target.Stop(); err != nil {
		d.t.Fatal(err)
	}
	select {
	case <-time.After(long):
	case <-d.ctx.Done():
	}
	d.tgtd()
	d.writeData()
}

// The NIC becomes a port of Open vSwitch. A message reports that the address is not moved, and
// where to configure it.
func TestSoakOpenVSwitch(t *testing.T) {
	d := newDebian(t, "stack")
	d.tgtd()
	d.boot("amd64", "")
	d.waitRunning()
	d.run("ovs-vsctl add-br ovs0; ip link set ovs0 up; dmesg -n 7")
	d.typeLine("ovs-vsctl --no-wait add-port ovs0 ens2")
	d.expect(d.m, "Open vSwitch")
}

// networkd makes a bond of the NIC of root's session.
func TestSoakDebianBond(t *testing.T) {
	d := newDebian(t, "managers")
	d.relogins = true
	if err := d.disk.ReplaceFile(2, "/etc/systemd/network/20-wired.network", ""); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"/etc/systemd/network/10-bond0.netdev":  "[NetDev]\nName=bond0\nKind=bond\n\n[Bond]\nMode=active-backup\nMIIMonitorSec=100ms\n",
		"/etc/systemd/network/20-port.network":  "[Match]\nName=eth0\n\n[Network]\nBond=bond0\n",
		"/etc/systemd/network/30-bond0.network": "[Match]\nName=bond0\n\n[Network]\nAddress=10.77.0.2/24\n",
	} {
		if err := d.disk.AddFile(2, name, text); err != nil {
			t.Fatal(err)
		}
	}
	d.tgtd()
	d.boot("amd64", "iscsi_if=eth0 systemd.mask=iscsid.service systemd.wants=systemd-networkd.service")
	d.waitRunning()
	if got := d.run("ip -o -4 addr show"); !strings.Contains(got, "bond0    inet 10.77.0.2/24 ") || strings.Contains(got, "eth0    inet") {
		t.Errorf("the addresses are %q", got)
	}
	d.writeData()
	d.powerOff()
}

// NetworkManager gets another address for the NIC.
func TestSoakNetworkManagerAddress(t *testing.T) {
	d, _ := managed(t, "NetworkManager.service", map[string]string{"/etc/network/interfaces": "auto lo\niface lo inet loopback\n"})
	d.relogins = true
	d.run("for i in $(seq 120); do nmcli -t -f DEVICE,STATE device | grep -q eth0:connected && break; sleep 1; done")
	d.run("nmcli connection add type ethernet ifname eth0 con-name root ipv4.method manual ipv4.addresses 10.77.0.3/24 && nmcli connection up root")
	d.waitLog("its address 10.77.0.2 is gone", 1)
	d.waitLog(sessionRecovered, 1)
	d.writeData()
	if got := d.run("ip -o -4 addr show eth0"); !strings.Contains(got, "10.77.0.3/24") || strings.Contains(got, "10.77.0.2/") {
		t.Errorf("the addresses are %q", got)
	}
	d.powerOff()
}

// NetworkManager makes the NIC a port of a bridge, with the boot's address.
func TestSoakNetworkManagerBridge(t *testing.T) {
	d, _ := managed(t, "NetworkManager.service", map[string]string{"/etc/network/interfaces": "auto lo\niface lo inet loopback\n"})
	d.relogins = true
	d.run("for i in $(seq 120); do nmcli -t -f DEVICE,STATE device | grep -q eth0:connected && break; sleep 1; done")
	d.run("nmcli connection add type bridge ifname br0 con-name br0 bridge.stp no ipv4.method manual ipv4.addresses 10.77.0.2/24 ipv6.method disabled; " +
		"nmcli connection add type ethernet ifname eth0 con-name port master br0; nmcli connection up br0; nmcli connection up port")
	d.run("until ip -o -4 addr show br0 | grep -q 10.77.0.2/24 && ! ip -o -4 addr show eth0 | grep -q inet; do sleep 1; done")
	d.writeData()
	d.restart("NetworkManager")
	if got := d.run("ip -o -4 addr show; cat /sys/class/net/br0/brif/eth0/state"); !strings.Contains(got, "br0    inet 10.77.0.2/24 ") || strings.Contains(got, "eth0    inet") {
		t.Errorf("the addresses are %q", got)
	}
	d.powerOff()
}
