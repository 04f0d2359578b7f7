package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// The network's own DHCP server offers other addresses than the boot gave, as
// in life-after: a manager that takes the boot's for foreign drops it.
const leases = "10.77.0.50,10.77.0.59,255.255.255.0,1h"

// managed boots a Debian whose network manager is started with it, by a word on
// the command line. Nothing in its root is ours, and it has the configuration
// that its users have.
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
	d.runs()
	return d, server
}

// leased checks that the manager got an address of its own beside the boot's.
func (d *debian) leased(server *lab.Dnsmasq) {
	d.t.Helper()
	d.ask("until ip -4 addr show eth0 | grep -q 10.77.0.5; do sleep 1; done")
	d.addressed()
	if !strings.Contains(server.Log(), "DHCPACK(tap0) 10.77.0.5") {
		d.t.Errorf("the server has leased nothing:\n%s", server.Log())
	}
}

// addressed checks that the boot's address is there.
func (d *debian) addressed() {
	d.t.Helper()
	if got := d.ask("ip -o -4 addr show eth0"); !strings.Contains(got, " 10.77.0.2/24 ") {
		d.t.Errorf("the card has %q", got)
	}
}

// undisturbed checks that the session has not lost its connection since boot.
func (d *debian) undisturbed() {
	d.t.Helper()
	if got := d.ask("dmesg -t | grep -e 'connection lost' -e 'conn error' -e 'I/O error'; cat /sys/class/iscsi_session/session*/state"); got != "LOGGED_IN" {
		d.t.Errorf("the session: %s", got)
	}
}

// restart restarts a unit while a program writes, and reads again from the LUN.
func (d *debian) restart(unit string) {
	d.t.Helper()
	if got := d.ask("systemctl restart " + unit + "; systemctl is-active " + unit); got != "active" {
		d.t.Errorf("%s after its restart: %s", unit, got)
	}
	d.writes()
}

// unplugged pulls the card's cable for so long.
func (d *debian) unplugged(long time.Duration) {
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
	d.writes()
}

// NetworkManager adopts the card as it is, also after its cable was out.
func TestDebianNetworkManager(t *testing.T) {
	d, _ := managed(t, "systemd.mask=iscsid.service systemd.wants=NetworkManager.service", map[string]string{
		"/etc/network/interfaces": "auto lo\niface lo inet loopback\n", // what stands there is ifupdown's alone
	})
	d.addressed()
	// nm-online is content with the loopback.
	if got := d.ask("for i in $(seq 120); do nmcli -t -f DEVICE,STATE device | grep -q eth0:connected && break; sleep 1; done; nmcli -t -f DEVICE,STATE device"); !strings.Contains(got, "eth0:connected") {
		d.t.Errorf("NetworkManager has %q", got)
	}
	d.restart("NetworkManager")
	d.addressed()
	d.undisturbed()
	d.unplugged(10 * time.Second) // longer than NetworkManager waits before a cable that is out counts
	d.addressed()
	d.ends("reboot", "guest-reset")
}

// ifupdown's stop takes the card down, at a restart and at shutdown, when its
// next program is on the root behind it.
func TestDebianIfupdown(t *testing.T) {
	d, server := managed(t, "systemd.mask=iscsid.service systemd.wants=networking.service", map[string]string{
		// open-iscsi's rule tells ifupdown that the card is up; without that
		// package nothing does.
		"/usr/lib/udev/rules.d/70-iscsi-network-interface.rules": "",
	})
	d.leased(server)
	d.restart("networking")
	d.leased(server)
	d.undisturbed()
	d.off()
}
