package integration

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// readmeBlock returns the lines shown below a heading of the README, in which a backslash at the
// end of a line continues it.
func readmeBlock(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+heading+"\n")
	var out []string
	for line := range strings.Lines(rest) {
		code, ok := strings.CutPrefix(line, "    ")
		if !ok && len(out) > 0 {
			break
		}
		if ok {
			out = append(out, strings.TrimSuffix(code, "\n"))
		}
	}
	if !found || len(out) == 0 {
		t.Fatalf("the README shows nothing below %q", heading)
	}
	return strings.Split(strings.ReplaceAll(strings.Join(out, "\n"), "\\\n", ""), "\n")
}

// The README's screens are those of its own first boot: tgt with the file system on the whole disk,
// the parameters of its APPEND, and then another target's name.
func TestREADMEScreens(t *testing.T) {
	r := newRig(t)
	tap, err := r.ns.AddTap("tap1", netip.MustParsePrefix("10.1.1.1/24"))
	if err != nil {
		t.Fatal(err)
	}
	disk, err := images.WriteWholeDisk(filepath.Join(t.TempDir(), "remote1.img"), images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	if err != nil {
		t.Fatal(err)
	}
	c := targets.Config{Name: targetName, Portal: netip.MustParseAddrPort("10.1.1.1:3260"), LUNs: map[int]string{1: disk.Path}}
	if _, err := targets.StartTgtd(r.ctx, r.ns, c); err != nil {
		t.Fatal(err)
	}
	line := "console=ttyS0 iscsi_i=" + initiator + " iscsi_i_ip=10.1.1.165/24 iscsi_a=10.1.1.1 BOOTIF=01-52-54-00-77-00-01 rw iscsi_t="
	m := r.bootWith(virtio, line+targetName, lab.NIC{Tap: tap})
	r.expect(m, "guest: mount: /dev/sda / ext4 rw,")
	number := regexp.MustCompile(`\[ *[0-9.]+\] |[0-9]+\.[0-9]+ s$`)
	at := 0
	for _, shown := range readmeBlock(t, "## What success looks like") {
		var pattern strings.Builder
		last := 0
		for _, n := range number.FindAllStringIndex(shown, -1) {
			pattern.WriteString(regexp.QuoteMeta(shown[last:n[0]]) + map[bool]string{true: `\[ *[0-9.]+\] `, false: `[0-9.]+ s`}[n[0] == 0])
			last = n[1]
		}
		pattern.WriteString(regexp.QuoteMeta(shown[last:]))
		found := regexp.MustCompile(`(?m)^` + pattern.String() + `\r?$`).FindStringIndex(m.Output()[at:])
		if found == nil {
			t.Errorf("the console does not show, after what precedes it in the README:\n%s", shown)
			continue
		}
		at += found[1]
	}
	if t.Failed() {
		t.Log(m.Output())
	}
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	m = r.bootWith(virtio, line+strings.Replace(targetName, "remote1", "remote2", 1), lab.NIC{Tap: tap})
	for _, shown := range readmeBlock(t, "## What a failure looks like") {
		r.expect(m, shown)
	}
}
