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

// The owner of the session is whoever the last of these lines names. That of standing by begins with who was seen first:
// iscsid itself, or its login.
const (
	standsBy   = ": standing by"
	looksAgain = "iscsid has ended: recovering the sessions again"
	// recoveredAgain ends an outage.
	recoveredAgain = "logged in again after"
)

// said counts the kernel's lines with a text.
func (d *debian) said(text string) int {
	d.t.Helper()
	n, err := strconv.Atoi(d.ask("dmesg | grep -c '" + text + "'"))
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// waits returns when the kernel's log has so many lines with a text.
func (d *debian) waits(text string, count int) {
	d.t.Helper()
	d.ask(fmt.Sprintf("until test $(dmesg | grep -c '%s') -ge %d; do sleep 1; done", text, count))
}

// recovers closes the session's connection and waits until it is logged in again.
func (d *debian) recovers(target *targets.Tgtd) {
	d.t.Helper()
	closeConnections(d.rig, target)
	d.ask("sleep 1; until grep -q LOGGED_IN /sys/class/iscsi_session/session*/state && grep -q up /sys/class/iscsi_connection/*/state; do sleep 1; done")
	d.writes()
}

// systemd-networkd with a plain DHCP file drops addresses that it does not know as it starts, and the root under its feet with
// them, but for our drop-in. A real iscsid takes the session over as it starts, and the agent stands by; when it is killed the
// agent has it again.
func TestDebianNetworkdAndIscsid(t *testing.T) {
	// A rule of open-iscsi's starts iscsid for any session: that is for later.
	d, server := managed(t, "systemd.wants=systemd-networkd.service", map[string]string{iscsidRules: ""})
	d.networkd(server)
	d.relogins = true
	d.ask("cat >" + iscsidRules + " <<'END'\n" + iscsidRule + "END\nudevadm control --reload; udevadm trigger --action=add --name-match=sda --settle")
	d.ask("systemctl start iscsid.socket open-iscsi") // what an installed open-iscsi starts with the machine
	d.iscsid()
	d.off()
}

// iscsidRules has a rule by which systemd starts iscsid.
const (
	iscsidRules = "/usr/lib/udev/rules.d/70-open-iscsi.rules"
	iscsidRule  = `SUBSYSTEM=="block", ACTION=="add", ENV{ID_PATH}=="*-iscsi-*", ENV{SYSTEMD_WANTS}+="iscsid.service"` + "\n"
)

// networkd restarts it, and checks that it manages the card all the same.
func (d *debian) networkd(server *lab.Dnsmasq) {
	d.t.Helper()
	d.leased(server)
	d.restart("systemd-networkd")
	d.leased(server)
	d.undisturbed()
	if got := d.ask("networkctl status eth0"); !strings.Contains(got, "50-iscsiroot.conf") && !strings.Contains(got, "20-wired.network") {
		d.t.Errorf("networkd does not manage the card: %s", got)
	}
}

// iscsid restarts it, kills it, and starts it again.
func (d *debian) iscsid() {
	d.t.Helper()
	d.ask("until systemctl is-active iscsid; do sleep 1; done")
	d.waits(standsBy, 1)
	if got := d.ask("iscsiadm -m session"); !strings.Contains(got, targetName) {
		d.t.Errorf("iscsiadm shows %q", got)
	}
	if got := d.ask("cat /run/iscsiroot/sessions"); !regexp.MustCompile(`(?m)^session 1 target ` + targetName + ` portal 10.77.0.1:3260 .* root$`).MatchString(got) {
		d.t.Errorf("the list of sessions is %q", got)
	}
	d.recovers(d.target) // by iscsid
	if got := d.ask("systemctl restart iscsid; systemctl is-active iscsid"); got != "active" {
		d.t.Errorf("iscsid after its restart: %s", got)
	}
	d.writes()
	// A restart that is slow may have been a change of its own.
	again, before := d.said(looksAgain), d.said(recoveredAgain)
	d.ask("systemctl kill -s KILL iscsid; systemctl stop iscsid iscsid.socket 2>/dev/null")
	d.waits(looksAgain, again+1)
	d.recovers(d.target) // by the agent
	if got := d.said(recoveredAgain); got <= before {
		d.t.Errorf("the agent has recovered nothing: %s", d.ask("dmesg -t | grep iscsiroot"))
	}
	d.ask("systemctl start iscsid")
	d.waits(standsBy, again+2)
	if by, gone := d.said(standsBy), d.said(looksAgain); by != again+2 || gone != again+1 {
		d.t.Errorf("the owner is said to be iscsid %d times, the agent %d times, want %d and %d", by, gone, again+2, again+1)
	}
	if got := d.ask("dmesg -t | grep -e 'I/O error' -e 'EXT4-fs error'"); got != "" {
		d.t.Errorf("the log: %s", got)
	}
}
