//go:build soak

package integration

import (
	"strings"
	"testing"
)

// agentTakesOver is in the agent's message when the owner of the session does not log in and the
// agent does.
const agentTakesOver = "has not logged session 1 in for 30 s"

// iscsid is stopped, and the connection is lost: after half a minute in which the portal answers
// and iscsid does not log in, the agent does. iscsid continues, and is the owner again.
func TestSoakIscsidStopped(t *testing.T) {
	d := newDebian(t, "managers")
	d.relogins = true
	target := d.tgtd()
	d.boot("amd64", "systemd.wants=iscsid.socket systemd.wants=open-iscsi.service systemd.wants=iscsid.service")
	d.waitRunning()
	d.waitLog(standsBy, 1)
	d.run("sleep 3; pkill -STOP iscsid")
	d.recoverConnection(target)
	if got := d.countLog(agentTakesOver); got != 1 {
		t.Errorf("the agent took the session %d times", got)
	}
	d.recoverConnection(target) // immediately: iscsid is still stopped
	d.run("pkill -CONT iscsid; sleep 10")
	d.recoverConnection(target)
	owners := d.countLog(standsBy)
	d.run("pkill -STOP iscsid")
	// iscsid continues in the middle of the agent's login: the loop runs no program from root.
	d.run("mkfifo /run/tick; exec 9<>/run/tick; pid=$(pgrep iscsid | tr '\\n' ' '); " +
		"(while read s </sys/class/iscsi_connection/connection1:0/state; test \"$s\" != bound; do read -t 0.1 -u 9; done; kill -CONT $pid) >/dev/null 2>&1 & true")
	d.recoverConnection(target)
	d.run("sleep 20")
	d.recoverConnection(target)
	t.Logf("iscsid was the owner %d times before its last stop, and %d times in all", owners, d.countLog(standsBy))
	if got := d.run("dmesg -t | grep -e 'I/O error' -e 'EXT4-fs error'; cat /sys/class/iscsi_session/session*/state"); got != "LOGGED_IN" {
		t.Errorf("the log: %s", got)
	}
	d.powerOff()
}

// listener receives the kernel's events as iscsid does, and does nothing, like an iscsid without a
// record of the session.
const listener = `perl -e 'socket(S,16,3,8); bind(S,pack("SSLL",16,0,0,1)); sleep' & true`

// Another program receives the kernel's events and never logs in.
func TestSoakIdleOwner(t *testing.T) {
	d := newDebian(t, "systemd")
	d.relogins = true
	target := d.tgtd()
	d.boot("amd64", "")
	d.waitRunning()
	d.run(listener)
	d.waitLog(standsBy, 1)
	d.recoverConnection(target)
	if got := d.countLog(agentTakesOver); got != 1 {
		t.Errorf("the agent took the session %d times: %s", got, d.run("dmesg -t | grep iscsiroot"))
	}
	if got := d.run("dmesg -t | grep 'connection lost'"); strings.Contains(got, "logging in again") {
		t.Errorf("the log has a login of the agent: %s", got)
	}
	d.run("pkill perl")
	d.waitLog(recoversAgain, 1)
	d.recoverConnection(target)
	d.powerOff()
}
