package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// The network's DHCP server offers other addresses than the boot's (reference/life-after.md): a
// network manager that does not have the boot's address in its lease removes it.
const leases = "10.77.0.50,10.77.0.59,255.255.255.0,1h"

// managed boots a Debian with a network manager, started by a parameter of systemd. No file of its
// root belongs to iscsiroot, and the manager has its usual configuration.
func managed(t *testing.T, words string, replace map[string]string) (*debian, *lab.Dnsmasq) {
	t.Helper()
	d := newDebian(t, "managers")
	for name, text := range replace {
		if err := d.disk.ReplaceFile(2, name, text); err != nil {
			t.Fatal(err)
		}
	}
	server, err := d.ns.StartDnsmasq(d.ctx, "--interface=tap0", "--dhcp-range="+leases)
	if err != nil {
		t.Fatal(err)
	}
	d.target = d.tgtd()
	d.boot("amd64", "iscsi_if=eth0 "+words)
	d.waitRunning()
	return d, server
}

// leased checks that the manager got a lease beside the boot's address.
func (d *debian) leased(server *lab.Dnsmasq) {
	d.t.Helper()
	d.run("until ip -4 addr show eth0 | grep -q 10.77.0.5; do sleep 1; done")
	d.addressed()
	if !strings.Contains(server.Log(), "DHCPACK(tap0) 10.77.0.5") {
		d.t.Errorf("the server has assigned no address:\n%s", server.Log())
	}
}

// addressed checks that the NIC has the boot's address.
func (d *debian) addressed() {
	d.t.Helper()
	if got := d.run("ip -o -4 addr show eth0"); !strings.Contains(got, " 10.77.0.2/24 ") {
		d.t.Errorf("the card has %q", got)
	}
}

// checkNoOutage checks that the session has not lost its connection since boot.
func (d *debian) checkNoOutage() {
	d.t.Helper()
	if got := d.run("dmesg -t | grep -e 'connection lost' -e 'conn error' -e 'I/O error'; cat /sys/class/iscsi_session/session*/state"); got != "LOGGED_IN" {
		d.t.Errorf("the session: %s", got)
	}
}

// restart restarts a unit, then writes to root and reads back from the LUN.
func (d *debian) restart(unit string) {
	d.t.Helper()
	if got := d.run("systemctl restart " + unit + "; systemctl is-active " + unit); got != "active" {
		d.t.Errorf("%s after its restart: %s", unit, got)
	}
	d.writeData()
}

// pullCable pulls the NIC's cable for a time.
func (d *debian) pullCable(long time.Duration) {
	d.t.Helper()
	if err := d.m.SetLink(d.ctx, 0, false); err != nil {
		d.t.Fatal(err)
	}
	select {
	case <-time.After(long):
	case <-d.ctx.Done():
	}
	if err := d.m.SetLink(d.ctx, 0, true); err != nil {
		d.t.Fatal(err)
	}
	d.writeData()
}

// NetworkManager adopts the NIC with its address, also after its cable was pulled.
func TestDebianNetworkManager(t *testing.T) {
	d, _ := managed(t, "systemd.mask=iscsid.service systemd.wants=NetworkManager.service", map[string]string{
		"/etc/network/interfaces": "auto lo\niface lo inet loopback\n", // what stands there is ifupdown's alone
	})
	d.addressed()
	// nm-online succeeds with the loopback alone.
	if got := d.run("for i in $(seq 120); do nmcli -t -f DEVICE,STATE device | grep -q eth0:connected && break; sleep 1; done; nmcli -t -f DEVICE,STATE device"); !strings.Contains(got, "eth0:connected") {
		d.t.Errorf("NetworkManager has %q", got)
	}
	d.restart("NetworkManager")
	d.addressed()
	d.checkNoOutage()
	d.pullCable(10 * time.Second) // longer than NetworkManager's carrier time-out
	d.addressed()
	d.shutDown("reboot", "guest-reset")
}

// ifupdown's stop takes the NIC down, at a restart and at shutdown, when the next program is read
// from the root behind that NIC.
func TestDebianIfupdown(t *testing.T) {
	d, server := managed(t, "systemd.mask=iscsid.service systemd.wants=networking.service", map[string]string{
		// open-iscsi's udev rule marks the interface as up for ifupdown; without that
		// package nothing does.
		"/usr/lib/udev/rules.d/70-iscsi-network-interface.rules": "",
	})
	d.leased(server)
	d.restart("networking")
	d.leased(server)
	d.checkNoOutage()
	d.powerOff()
}
