package integration

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// The root disk outlives what happens to its connection under write load: a
// reset, a target that is killed and started again, and the same while the
// agent's worker is killed.
func TestOutages(t *testing.T) {
	r := newRig(t)
	r.makeDisk(lab.Filesystem{Type: "ext4", MiB: 96, Tree: root("agent load agent log")})
	target := r.tgtd()
	m := r.boot(virtio, "", "console=ttyS0 rw "+seedLine)
	r.expect(m, "guest: agent @iscsiroot", "guest: load 5")
	closeConnections(r, target)
	r.expect(m, "connection lost", "logged in again after", "guest: load 12")
	if err := target.Stop(); err != nil {
		t.Fatal(err)
	}
	r.expect(m, "connection lost")
	time.Sleep(3 * time.Second) // the outage
	target = r.tgtd()
	r.expect(m, "logged in again after", "guest: killed 1 workers", "its worker ended: starting it again", "guest: load 40")
	closeConnections(r, target)
	r.expect(m, "connection lost", "logged in again after", "guest: loaded 60 files")
	r.off(m)
	for _, bad := range []string{"I/O error", "EXT4-fs error", "EXT4-fs warning", "Buffer I/O"} {
		if strings.Contains(m.Output(), bad) {
			t.Errorf("the console shows %q", bad)
		}
	}
	if err := target.Stop(); err != nil {
		t.Fatal(err)
	}
	checkSums(r, 60)
}

// closeConnections makes tgtd drop all its connections.
func closeConnections(r *rig, target *lab.Tgtd) {
	r.t.Helper()
	text, err := target.Admin(r.ctx, "--op", "show", "--mode", "conn", "--tid", "1")
	if err != nil {
		r.t.Fatal(err)
	}
	n := 0
	sid := ""
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "Session":
			sid = strings.TrimSpace(value)
		case "Connection":
			if _, err := target.Admin(r.ctx, "--op", "delete", "--mode", "conn", "--tid", "1", "--sid", sid, "--cid", strings.TrimSpace(value)); err != nil {
				r.t.Fatal(err)
			}
			n++
		}
	}
	if n == 0 {
		r.t.Fatalf("no connection to close in\n%s", text)
	}
}

// checkSums compares the files of the guest's load with its list of them.
func checkSums(r *rig, files int) {
	r.t.Helper()
	if err := r.disk.Check(2); err != nil {
		r.t.Error(err)
	}
	sums, err := r.disk.ReadFile(2, "/data/SHA256SUMS")
	if err != nil {
		r.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(sums)), "\n")
	if len(lines) != files {
		r.t.Errorf("%d checksums, want %d", len(lines), files)
	}
	for _, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		b, err := r.disk.ReadFile(2, "/data/"+name)
		if err != nil {
			r.t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != sum {
			r.t.Errorf("%s has checksum %s on the target, the guest wrote %s", name, got, sum)
		}
	}
}
