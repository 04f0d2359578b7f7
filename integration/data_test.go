package integration

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// What the guest wrote, synced and checked is on the target when it is off:
// 64 MiB over ext4, from both targets.
func TestDataFromGotgt(t *testing.T) {
	r := newRig(t)
	r.makeDisk(dataRoot())
	checkData(r, r.gotgt())
}

func TestDataFromTgtd(t *testing.T) {
	r := newRig(t)
	r.makeDisk(dataRoot())
	checkData(r, r.tgtd())
}

func dataRoot() lab.Filesystem {
	return lab.Filesystem{Type: "ext4", MiB: 160, Tree: root("write log")}
}

func checkData(r *rig, target lab.Target) {
	r.t.Helper()
	m := r.boot(virtio, "", "console=ttyS0 rw "+seedLine)
	r.expect(m, "guest: mount: /dev/sda2 / ext4 rw,", "guest: wrote 16 files of 4194304 bytes", " 0 notes of dropped lines")
	r.off(m)
	checkWritten(r, target)
}

// checkWritten looks at what the guest wrote when its target is off.
func checkWritten(r *rig, target lab.Target) {
	r.t.Helper()
	if err := target.Stop(); err != nil {
		r.t.Fatal(err)
	}
	if err := r.disk.Check(2); err != nil {
		r.t.Error(err)
	}
	sums, err := r.disk.ReadFile(2, "/data/SHA256SUMS")
	if err != nil {
		r.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(sums)), "\n")
	if len(lines) != 16 {
		r.t.Fatalf("%d checksums, want 16", len(lines))
	}
	for _, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		b, err := r.disk.ReadFile(2, "/data/"+name)
		if err != nil {
			r.t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != sum || len(b) != 4<<20 {
			r.t.Errorf("%s: %d bytes with checksum %s on the target, the guest wrote %s", name, len(b), got, sum)
		}
	}
}
