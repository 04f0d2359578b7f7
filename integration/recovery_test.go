package integration

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// closeConnections closes all connections of a tgtd.
func closeConnections(r *rig, target *targets.Tgtd) {
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

// checkSums compares the files of the guest's load with its list of checksums; files is their
// number, negative: any.
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
	if files >= 0 && len(lines) != files {
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
