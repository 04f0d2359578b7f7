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
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// costBoots is the number of boots with each init.
const costBoots = 5

// TestAgentCost measures the processor time that the agent adds to a boot, from the kernel's start
// until the real init, a Go program, reads the time. Boots with and without the agent alternate.
// The machine's clock counts instructions, one a nanosecond, so that neither the emulation nor the
// host has an effect.
func TestAgentCost(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	with, without := virtio, virtio
	with.init, without.init = built.init(), initWithoutAgent(t) // both in one archive
	var sums [2]float64
	for range costBoots {
		for i, img := range []image{with, without} {
			busy := r.busy(img)
			t.Logf("%s the agent: %.4f s", [...]string{"with", "without"}[i], busy)
			sums[i] += busy
		}
	}
	took := (sums[0] - sums[1]) / costBoots * 1000
	t.Logf("the agent takes %.1f ms of a boot", took)
	if took > mostCost {
		t.Errorf("more than %.0f ms", mostCost)
	}
}

// What the agent may cost: milliseconds of a boot, at one instruction a nanosecond, and KiB of
// memory with one session.
const (
	mostCost   = 9.0
	mostMemory = 2652
)

// TestAgentMemory measures the private memory of supervisor and worker with one session, soon after
// both have settled: anonymous pages and page tables, the mean of several boots. The pages of the
// program itself are in /run in any case.
func TestAgentMemory(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("halves agent")})
	r.tgtd()
	sum := 0
	for range costBoots {
		m := r.boot(virtio, "", "console=ttyS0 rw "+seedLine)
		r.expect(m, "guest: end")
		if err := m.Stop(); err != nil {
			t.Fatal(err)
		}
		found := memoryLines.FindAllStringSubmatch(m.Output(), -1)
		if len(found) != 4 { // two of each process
			t.Fatalf("the guest reports %q about the agent", found)
		}
		one := 0
		for _, f := range found {
			kib, _ := strconv.Atoi(f[1])
			one += kib
		}
		t.Logf("%d KiB", one)
		sum += one
	}
	mean := sum / costBoots
	t.Logf("the agent has %d KiB of memory", mean)
	if mean > mostMemory {
		t.Errorf("more than %d KiB", mostMemory)
	}
}

var memoryLines = regexp.MustCompile(`guest: agent @\S+: (?:RssAnon|VmPTE):\s+(\d+) kB`)

// ranLine is the processor's line of /proc/schedstat: the seventh number is for how long processes
// ran, in ns (Documentation/scheduler/sched-stats.rst).
var ranLine = regexp.MustCompile(`guest: schedstat: cpu0 \d+ \d+ \d+ \d+ \d+ \d+ (\d+) `)

// busy boots and returns the seconds for which processes, including kernel threads, ran on the one
// processor.
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
	found := ranLine.FindStringSubmatch(m.Output())
	if found == nil {
		r.t.Fatal("the guest does not report how long processes ran")
	}
	ns, _ := strconv.ParseFloat(found[1], 64)
	return ns / 1e9
}

// initWithoutAgent builds an init that starts no agent.
func initWithoutAgent(t *testing.T) string {
	t.Helper()
	source, err := filepath.Abs("../pkg/boot/login/agent.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for begin, result := range map[string]string{
		"func (ss *Sessions) StartAgent(context.Context) error {\n":                            " nil",
		"func (ss *Sessions) HandOver(ctx context.Context, uplinks []uplink.Uplink) error {\n": " nil",
	} {
		if !strings.Contains(changed, begin) {
			t.Fatalf("%s has no %q", source, begin)
		}
		changed = strings.Replace(changed, begin, begin+"\tif ss != nil {\n\t\treturn"+result+"\n\t}\n", 1)
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
