//go:build bench

package integration

import (
	"math/rand/v2"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// pathRounds is the number of measurements of each fault of a path, and pathBoots that of boots of
// each kind.
const (
	pathRounds = 6
	pathBoots  = 5
)

var stallLine = regexp.MustCompile(`guest: stall: the longest of \d+ writes took (\d+) ms`)

// TestPathStalls measures the longest write to a root on two paths when one path is reset, its
// carrier is lost, or its network drops all frames.
func TestPathStalls(t *testing.T) {
	r := newPathRig(t, 640, "faults down")
	r.startPaths(pathImage, pathTarget+pathPortals+pathNICs+"iscsi_multipath=1")
	r.expectMap()
	r.waitWritten() // the directory of what is written is there
	for _, f := range []struct {
		name         string
		begin, after func(i int)
	}{
		{"without a fault", func(int) {}, func(int) {}},
		{"a path is reset", func(i int) { r.proxies[i].Reset() }, func(int) {}},
		{"its portal is closed", r.closePath, r.openPath},
		{"its carrier is lost", func(i int) { r.cable(i, false) }, func(i int) { r.cable(i, true) }},
		{"its network is black-holed", func(i int) { r.hole(i, true) }, func(i int) { r.hole(i, false) }},
	} {
		r.renew()
		var stalls []time.Duration
		for n := range pathRounds {
			i := n % len(r.proxies)
			r.waitMap(bothAlive)
			r.typeLine("stall 10")
			r.expect(r.m, "guest: stall: writes")
			r.sleep(time.Second + rand.N(time.Second))
			f.begin(i)
			groups, err := r.m.ExpectMatch(r.ctx, stallLine)
			if err != nil {
				t.Fatal(err)
			}
			ms, err := strconv.Atoi(groups[1])
			if err != nil {
				t.Fatal(err)
			}
			stalls = append(stalls, time.Duration(ms)*time.Millisecond)
			f.after(i)
		}
		report(t, "longest write, "+f.name, stalls)
	}
	r.goDown(func() {})
	r.checkPathData()
}

// TestPathBootTimes measures the time from the start of /init to that of the real init with both
// paths and with one of them dead. The machine's time goes by its instructions, and by the host's
// while it waits: a busy host changes it little.
func TestPathBootTimes(t *testing.T) {
	r := newPathNetworks(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.startPathTarget(r.disk.Path)
	one := deadPath{name: "one path, as a plain disk"}
	both := deadPath{name: "both paths"}
	for _, c := range append([]deadPath{one, both}, deadPaths...) {
		var boots []time.Duration
		for range pathBoots {
			r.rig.renew()
			if c.dead != nil {
				c.dead(r)
			}
			line, nics := c.machine(r)
			if c.name == one.name {
				line = pathTarget + "iscsi_a=10.77.0.1 " + pathNICs
			}
			r.m = r.start(pathImage, lab.MachineConfig{Append: line + " quiet", NICs: nics, Args: []string{"-icount", "shift=0"}})
			if c.cable {
				r.cable(0, false)
			}
			r.expect(r.m, "guest: end")
			found := startOfInit.FindStringSubmatch(r.m.Output())
			if err := r.m.Stop(); err != nil || found == nil {
				t.Fatalf("the console does not show how long the boot took, %v", err)
			}
			seconds, err := strconv.ParseFloat(found[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			boots = append(boots, time.Duration(seconds*float64(time.Second)))
			if c.revive != nil {
				c.revive(r)
			}
		}
		report(t, "boot, "+c.name, boots)
	}
}
