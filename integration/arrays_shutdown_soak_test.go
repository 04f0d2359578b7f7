//go:build soak

package integration

import (
	"strings"
	"testing"
	"time"
)

// One target of a mirror dies before the shutdown, and the agent would wait for it: the shutdown
// goes on without it, and what was written last is on the other half, which is clean.
func TestSoakArraysShutdownDeadMember(t *testing.T) {
	r := newMirrorRig(t, "mirror")
	r.startSecondLeg()
	r.m = r.boot(arrayImage, "", strings.Replace(mirrorLine, "iscsi_mirror_tmo=3", "iscsi_mirror_tmo=600", 1))
	r.expect(r.m, "guest: mount: /dev/md")
	r.waitWritten()
	r.typeLine("end")
	r.expect(r.m, "guest: loaded ", "guest: ready to go down")
	if err := r.second.Stop(); err != nil {
		t.Fatal(err)
	}
	r.expect(r.m, secondTarget+": connection lost")
	began := time.Now()
	r.typeLine("")
	exit, err := r.m.Wait(r.ctx)
	if err != nil || exit.Reason != "guest-shutdown" {
		t.Fatalf("machine ended with %+v, %v", exit, err)
	}
	t.Logf("down after %.1f s", time.Since(began).Seconds())
	r.checkShown(r.m, "session 2: down, and a mirror works without its disk: dropping the session", "session 1: logged out")
	r.checkNotShown(r.m, "its disk does not answer", "I/O error, dev md", "EXT4-fs error")
	r.loggedOut(r.target)
	if head := readMemberHead(t, r.group.Paths[0], 4096); !head.clean {
		t.Errorf("superblock of the half that is left: %+v, want it clean", head)
	}
}
