//go:build soak

package integration

import (
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// soakPathLine boots with two paths.
const soakPathLine = pathTarget + pathPortals + pathNICs + "iscsi_multipath=1"

// Each network drops all frames for a while, as behind a switch that is dead, then both do, longer
// than the pings take to notice.
func TestSoakPathHoles(t *testing.T) {
	r := newPathRig(t, 320, "faults down")
	r.startPaths(pathImage, soakPathLine)
	r.expectMap()
	for i := range r.taps {
		r.waitMap(bothAlive)
		r.hole(i, true)
		r.waitMap(oneFailed)
		r.waitWritten()
		r.sleep(30 * time.Second)
		r.waitWritten()
		r.hole(i, false)
	}
	r.waitMap(bothAlive)
	for i := range r.taps {
		r.hole(i, true)
	}
	r.waitMap(allFailed, "waits: ")
	r.sleep(2 * time.Minute)
	r.waitMap(allFailed, "waits: ")
	for i := range r.taps {
		r.hole(i, false)
	}
	r.waitWritten()
	r.waitMap(bothAlive)
	r.goDown(func() {})
	r.checkPathData()
}

// flaps is the number of faults of TestSoakPathFlaps.
const flaps = 100

// A hundred faults of paths at random under write load, which may overlap. What the guest has
// written is there, and both paths are back.
func TestSoakPathFlaps(t *testing.T) {
	r := newPathRig(t, 640, "faults down")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	r.startPaths(pathImage, soakPathLine)
	r.expectMap()
	r.waitMap(bothAlive)
	for n := range flaps {
		i := random.IntN(len(r.proxies))
		long := time.Duration(random.Int64N(int64(4 * time.Second)))
		switch random.IntN(4) {
		case 0:
			r.proxies[i].Reset()
		case 1:
			r.closePath(i)
			r.sleep(long)
			r.openPath(i)
		case 2:
			r.cable(i, false)
			r.sleep(long)
			r.cable(i, true)
		case 3:
			r.hole(i, true)
			r.sleep(2 * long)
			r.hole(i, false)
		}
		r.sleep(time.Duration(random.Int64N(int64(time.Second))))
		if n%10 == 9 {
			r.renew()
			r.waitWritten()
			t.Logf("%d faults", n+1)
		}
	}
	r.waitMap(bothAlive)
	r.waitWritten()
	r.goDown(func() {})
	r.checkPathData()
}

// Access states (ALUA): the path that is not optimized rests while the optimized one lives, and is
// used while that is away. The states change places in the running system.
func TestSoakPathGroups(t *testing.T) {
	r := newLIOPaths(t, 160, "faults down", lioName)
	r.access(2, targets.NonOptimized)
	r.startPaths(pathImage, console+"rw iscsi_i="+initiator+" iscsi_t="+lioName+" "+pathPortals+pathNICs+"iscsi_multipath=1")
	r.expectMap()
	r.waitMap(bothAlive, "groups A:sda=up E:sdb=up", "path sdb state=running access_state=active/non-optimized")
	r.rests("sdb", "sda")
	r.closePath(0)
	r.waitMap(oneFailed)
	r.rests("sda", "sdb")
	r.openPath(0)
	r.waitMap(bothAlive, "groups A:sda=up E:sdb=up")
	r.rests("sdb", "sda")
	r.access(1, targets.NonOptimized)
	r.access(2, targets.Optimized)
	r.waitMap(bothAlive, "groups A:sdb=up E:sda=up")
	r.rests("sda", "sdb")
	r.access(1, targets.Standby)
	r.waitWritten()
	r.closePath(1) // only the standby path is left: the kernel makes it active, or the writes wait
	r.sleep(10 * time.Second)
	r.openPath(1)
	r.waitWritten()
	r.goDown(func() {})
	r.checkLIOData()
}

// access sets the access state of a portal group.
func (r *lioPaths) access(group int, to targets.Access) {
	r.t.Helper()
	if err := r.lio.SetAccess(r.ctx, r.disk.Path, group, to); err != nil {
		r.t.Fatal(err)
	}
}

// rests checks that the guest writes to one disk and not to another one.
func (r *pathRig) rests(disk, other string) {
	r.t.Helper()
	r.waitWritten() // what has begun before may use another path
	before, used := r.pathWritten(disk), r.pathWritten(other)
	r.waitWritten()
	if now := r.pathWritten(disk); now != before {
		r.t.Errorf("%d sectors were written by %s, which should rest", now-before, disk)
	}
	if r.pathWritten(other) == used {
		r.t.Errorf("nothing was written by %s", other)
	}
}

// pathWritten is how many sectors were written by a path.
func (r *pathRig) pathWritten(disk string) int {
	r.t.Helper()
	before := len(r.m.Output())
	r.run("paths")
	found := regexp.MustCompile(`guest: path ` + disk + ` .*written=(\d+)`).FindStringSubmatch(r.m.Output()[before:])
	if found == nil {
		r.t.Fatalf("%s is no path", disk)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// The LUN is made larger: the running system goes on, also if it looks at the new size, and the
// next boot finds root.
func TestSoakPathGrown(t *testing.T) {
	r := newPathRig(t, 96, "faults down")
	r.startPaths(pathImage, soakPathLine)
	r.expectMap()
	r.waitMap(bothAlive)
	info, err := os.Stat(r.disk.Path)
	if err != nil {
		t.Fatal(err)
	}
	r.stopTarget()
	const more = 32 << 20
	if err := os.Truncate(r.disk.Path, info.Size()+more); err != nil {
		t.Fatal(err)
	}
	r.serve()
	r.waitMap(bothAlive)
	r.run("rescan sda")
	r.run("rescan sdb")
	r.waitWritten()
	r.waitMap(bothAlive)
	grown := "has " + strconv.FormatInt((info.Size()+more)/512, 10) + " sectors"
	t.Logf("the map grows: %v", strings.Contains(r.m.Output(), grown))
	r.closePath(0)
	r.waitMap(oneFailed)
	r.waitWritten()
	r.openPath(0)
	r.waitMap(bothAlive)
	r.goDown(func() {})
	r.renew()
	r.startPaths(pathImage, soakPathLine)
	r.expectMap()
	r.waitMap(bothAlive, grown)
	r.goDown(func() {})
	r.checkPathData()
}
