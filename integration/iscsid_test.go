package integration

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// The last of these lines names the owner of the session. The line of standing by begins with what
// the agent detected first: iscsid's process, or its login.
const (
	standsBy      = ": standing by"
	recoversAgain = "iscsid has ended: recovering the sessions again"
	// sessionRecovered ends an outage.
	sessionRecovered = "logged in again after"
)

// countLog counts the lines of the kernel's log with a text.
func (d *debian) countLog(text string) int {
	d.t.Helper()
	n, err := strconv.Atoi(d.run("dmesg | grep -c '" + text + "'"))
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// waitLog waits until the kernel's log has count lines with a text.
func (d *debian) waitLog(text string, count int) {
	d.t.Helper()
	d.run(fmt.Sprintf("until test $(dmesg | grep -c '%s') -ge %d; do sleep 1; done", text, count))
}

// recoverConnection closes the session's connection and waits until the session is logged in again.
func (d *debian) recoverConnection(target *targets.Tgtd) {
	d.t.Helper()
	closeConnections(d.rig, target)
	d.run("sleep 1; until grep -q LOGGED_IN /sys/class/iscsi_session/session*/state && grep -q up /sys/class/iscsi_connection/*/state; do sleep 1; done")
	d.writeData()
}

// systemd-networkd with a plain DHCP file removes addresses that it did not configure when it
// starts, and would cut root's connection, but for the drop-in of iscsiroot. A real iscsid takes
// the session over when it starts, and the agent stands by; after iscsid is killed the agent
// recovers the session again.
func TestDebianNetworkdAndIscsid(t *testing.T) {
	// A rule of open-iscsi starts iscsid for any session: it is added later.
	d, server := managed(t, "systemd.wants=systemd-networkd.service", map[string]string{iscsidRules: ""})
	d.networkd(server)
	d.relogins = true
	d.run("cat >" + iscsidRules + " <<'END'\n" + iscsidRule + "END\nudevadm control --reload; udevadm trigger --action=add --name-match=sda --settle")
	d.run("systemctl start iscsid.socket open-iscsi") // what an installed open-iscsi starts with the machine
	d.iscsid()
	d.powerOff()
}

// iscsidRules has a rule by which systemd starts iscsid.
const (
	iscsidRules = "/usr/lib/udev/rules.d/70-open-iscsi.rules"
	iscsidRule  = `SUBSYSTEM=="block", ACTION=="add", ENV{ID_PATH}=="*-iscsi-*", ENV{SYSTEMD_WANTS}+="iscsid.service"` + "\n"
)

// networkd restarts systemd-networkd, and checks that it still manages the NIC.
func (d *debian) networkd(server *lab.Dnsmasq) {
	d.t.Helper()
	d.leased(server)
	d.restart("systemd-networkd")
	d.leased(server)
	d.checkNoOutage()
	if got := d.run("networkctl status eth0"); !strings.Contains(got, "50-iscsiroot.conf") && !strings.Contains(got, "20-wired.network") {
		d.t.Errorf("networkd does not manage the card: %s", got)
	}
}

// iscsid restarts iscsid, kills it, and starts it again.
func (d *debian) iscsid() {
	d.t.Helper()
	d.run("until systemctl is-active iscsid; do sleep 1; done")
	d.waitLog(standsBy, 1)
	if got := d.run("iscsiadm -m session"); !strings.Contains(got, targetName) {
		d.t.Errorf("iscsiadm shows %q", got)
	}
	if got := d.run("cat /run/iscsiroot/sessions"); !regexp.MustCompile(`(?m)^session 1 target ` + targetName + ` portal 10.77.0.1:3260 .* root$`).MatchString(got) {
		d.t.Errorf("the list of sessions is %q", got)
	}
	d.recoverConnection(d.target) // by iscsid
	if got := d.run("systemctl restart iscsid; systemctl is-active iscsid"); got != "active" {
		d.t.Errorf("iscsid after its restart: %s", got)
	}
	d.writeData()
	// A slow restart may have been a change of the owner.
	again, before := d.countLog(recoversAgain), d.countLog(sessionRecovered)
	d.run("systemctl kill -s KILL iscsid; systemctl stop iscsid iscsid.socket 2>/dev/null")
	d.waitLog(recoversAgain, again+1)
	d.recoverConnection(d.target) // by the agent
	if got := d.countLog(sessionRecovered); got <= before {
		d.t.Errorf("the agent has not recovered the session: %s", d.run("dmesg -t | grep iscsiroot"))
	}
	d.run("systemctl start iscsid")
	d.waitLog(standsBy, again+2)
	if by, gone := d.countLog(standsBy), d.countLog(recoversAgain); by != again+2 || gone != again+1 {
		d.t.Errorf("the log names iscsid as owner %d times, the agent %d times, want %d and %d", by, gone, again+2, again+1)
	}
	if got := d.run("dmesg -t | grep -e 'I/O error' -e 'EXT4-fs error'"); got != "" {
		d.t.Errorf("the log: %s", got)
	}
}
