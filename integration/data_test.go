package integration

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// loadFiles is the number of files that the guest's command write writes.
const loadFiles = 16

// loadSize is the size of each, several bursts (MaxBurstLength, RFC 7143 section 13.13: 256 KiB).
// An emulated machine takes half a second to make, hash, write, read and hash again 4 MiB.
func loadSize() int {
	if soaking {
		return 4 << 20
	}
	return 1 << 20
}

// write is the guest's command for that load, and wrote the line on the console when the files have
// been read back.
func write() string { return fmt.Sprintf("write:%dx%d", loadFiles, loadSize()) }

func wrote() string { return fmt.Sprintf("guest: wrote %d files of %d bytes", loadFiles, loadSize()) }

// Files that the guest wrote, synced and checked are on the target after its shutdown: 16 MiB over
// ext4, from both targets, and 64 MiB in make soak.
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

func dataRoot() images.Filesystem {
	return images.Filesystem{Type: "ext4", MiB: 160, Tree: root(write() + " log")}
}

func checkData(r *rig, target targets.Target) {
	r.t.Helper()
	m := r.boot(virtio, "", "console=ttyS0 rw "+seedLine)
	r.expect(m, "guest: mount: /dev/sda2 / ext4 rw,", wrote(), " 0 notes of dropped lines")
	r.waitOff(m)
	checkWritten(r, target)
}

// checkWritten stops the target and checks the files that the guest wrote.
func checkWritten(r *rig, target targets.Target) {
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
	if len(lines) != loadFiles {
		r.t.Fatalf("%d checksums, want %d", len(lines), loadFiles)
	}
	for _, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		b, err := r.disk.ReadFile(2, "/data/"+name)
		if err != nil {
			r.t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != sum || len(b) != loadSize() {
			r.t.Errorf("%s: %d bytes with checksum %s on the target, the guest wrote %s", name, len(b), got, sum)
		}
	}
}
