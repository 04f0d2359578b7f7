//go:build soak

package integration

import (
	"strings"
	"testing"
)

// takesOver begins the agent's login beside another owner that does nothing.
const takesOver = "has not logged session 1 in for 30 s"

// iscsid is stopped, and the connection breaks: after half a minute in which the portal answers and iscsid does not use it the
// agent logs in. iscsid goes on, and is the owner again.
func TestSoakIscsidStopped(t *testing.T) {
	d := newDebian(t, "managers")
	d.relogins = true
	target := d.tgtd()
	d.boot("amd64", "systemd.wants=iscsid.socket systemd.wants=open-iscsi.service systemd.wants=iscsid.service")
	d.runs()
	d.waits(standsBy, 1)
	d.ask("sleep 3; pkill -STOP iscsid")
	d.recovers(target)
	if got := d.said(takesOver); got != 1 {
		t.Errorf("the agent took the session %d times", got)
	}
	d.recovers(target) // at once: iscsid has done nothing since
	d.ask("pkill -CONT iscsid; sleep 10")
	d.recovers(target)
	owners := d.said(standsBy)
	d.ask("pkill -STOP iscsid")
	// iscsid goes on in the middle of the agent's login: the loop needs no program of root's.
	d.ask("mkfifo /run/tick; exec 9<>/run/tick; pid=$(pgrep iscsid | tr '\\n' ' '); " +
		"(while read s </sys/class/iscsi_connection/connection1:0/state; test \"$s\" != bound; do read -t 0.1 -u 9; done; kill -CONT $pid) >/dev/null 2>&1 & true")
	d.recovers(target)
	d.ask("sleep 20")
	d.recovers(target)
	t.Logf("iscsid was the owner %d times before its last stop, and %d times in all", owners, d.said(standsBy))
	if got := d.ask("dmesg -t | grep -e 'I/O error' -e 'EXT4-fs error'; cat /sys/class/iscsi_session/session*/state"); got != "LOGGED_IN" {
		t.Errorf("the log: %s", got)
	}
	d.off()
}

// listener receives the kernel's events as iscsid does, and does nothing: an iscsid without a record of the session.
const listener = `perl -e 'socket(S,16,3,8); bind(S,pack("SSLL",16,0,0,1)); sleep' & true`

// Another program listens to the kernel's events and never acts.
func TestSoakIdleOwner(t *testing.T) {
	d := newDebian(t, "systemd")
	d.relogins = true
	target := d.tgtd()
	d.boot("amd64", "")
	d.runs()
	d.ask(listener)
	d.waits(standsBy, 1)
	d.recovers(target)
	if got := d.said(takesOver); got != 1 {
		t.Errorf("the agent took the session %d times: %s", got, d.ask("dmesg -t | grep iscsiroot"))
	}
	if got := d.ask("dmesg -t | grep 'connection lost'"); strings.Contains(got, "logging in again") {
		t.Errorf("the agent is said to log in: %s", got)
	}
	d.ask("pkill perl")
	d.waits(looksAgain, 1)
	d.recovers(target)
	d.off()
}
