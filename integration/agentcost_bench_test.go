//go:build bench

package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// costBoots is how often each init boots.
const costBoots = 5

// TestAgentCost measures how much processor time a boot takes for the agent, from the kernel's start until the real init, a Go
// program, reads it: against an init that starts none, in turns. The machine's clock counts instructions, one a nanosecond, so
// that neither the emulation nor the host counts.
func TestAgentCost(t *testing.T) {
	r := newRig(t)
	r.makeDisk(lab.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	with, without := virtio, virtio
	with.init, without.init = built.init, initWithoutAgent(t) // both in one archive
	var sums [2]float64
	for range costBoots {
		for i, img := range []image{with, without} {
			busy := r.busy(img)
			t.Logf("%s the agent: %.3f s", [...]string{"with", "without"}[i], busy)
			sums[i] += busy
		}
	}
	t.Logf("the agent takes %.0f ms of a boot", (sums[0]-sums[1])/costBoots*1000)
}

var uptimeLine = regexp.MustCompile(`guest: uptime: (\d+\.\d+) (\d+\.\d+)`)

// busy boots and returns for how many seconds the one processor was not idle.
func (r *rig) busy(img image) float64 {
	r.t.Helper()
	m := r.start(img, lab.MachineConfig{
		Append: "console=ttyS0 " + seedLine + " root=/dev/sda2 ro quiet", NICs: []lab.NIC{{Tap: r.tap}},
		Args: []string{"-icount", "shift=0"},
	})
	r.expect(m, "guest: end")
	if err := m.Stop(); err != nil {
		r.t.Fatal(err)
	}
	found := uptimeLine.FindStringSubmatch(m.Output())
	if found == nil {
		r.t.Fatal("the guest does not tell its uptime")
	}
	up, _ := strconv.ParseFloat(found[1], 64)
	idle, _ := strconv.ParseFloat(found[2], 64)
	return up - idle
}

// initWithoutAgent builds an init that starts no agent.
func initWithoutAgent(t *testing.T) string {
	t.Helper()
	source, err := filepath.Abs("../pkg/boot/agent.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for begin, result := range map[string]string{
		"func (m *Machine) startAgent(context.Context) error {\n": " nil",
		"func (m *Machine) giveAway(ctx context.Context) {\n":     "",
	} {
		if !strings.Contains(changed, begin) {
			t.Fatalf("%s has no %q", source, begin)
		}
		changed = strings.Replace(changed, begin, begin+"\tif m != nil {\n\t\treturn"+result+"\n\t}\n", 1)
	}
	dir := t.TempDir()
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{source: filepath.Join(dir, "agent.go")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"agent.go": []byte(changed), "overlay.json": overlay} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "init")
	tool(t, "../scripts/gobuild.sh", "-overlay", filepath.Join(dir, "overlay.json"), "-o", out, "../cmd/init")
	return out
}
