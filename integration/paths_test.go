package integration

import (
	"strings"
	"testing"
	"time"
)

// A root on a map of two paths, under write load: a connection is reset, a portal goes away, a
// cable is pulled, and both portals are away for a minute. The writes go on by the other path, and
// wait while there is none; each path comes back. The machine goes down with one path.
func TestPaths(t *testing.T) {
	r := newPathRig(t, 320, "faults down")
	r.startPaths(pathImage, pathTarget+pathPortals+pathNICs+"iscsi_multipath=1")
	r.expectMap()
	r.waitMap(bothAlive, "waits: ")
	r.waitWritten()
	r.proxies[0].Reset()
	r.expect(r.m, "logged in again after")
	r.waitMap(bothAlive)
	r.waitWritten()
	r.closePath(0)
	r.waitMap(oneFailed)
	r.waitWritten()
	r.statusShows("failed")
	r.openPath(0)
	r.waitMap(bothAlive)
	r.cable(1, false)
	r.waitMap(oneFailed)
	r.waitWritten()
	r.cable(1, true)
	r.waitMap(bothAlive)
	r.bothAway(time.Minute)
	r.waitWritten()
	r.goDown(func() { r.closePath(0) })
	r.checkPathData()
}

// statusShows checks that the status of the running system has the map, its disks, and a text.
func (r *pathRig) statusShows(text string) {
	r.t.Helper()
	before := len(r.m.Output())
	r.run("run /run/initramfs/shutdown status")
	shown := r.m.Output()[before:]
	for _, want := range []string{r.id, "sda", "sdb", text} {
		if !strings.Contains(shown, want) {
			r.t.Errorf("the status does not show %q", want)
		}
	}
}

// bothAway closes both portals for some time: nothing is written, and nothing fails. The first one
// that is back suffices.
func (r *pathRig) bothAway(long time.Duration) {
	r.t.Helper()
	for i := range r.proxies {
		r.closePath(i)
	}
	r.waitMap(allFailed, "waits: ")
	r.sleep(long)
	r.waitMap(allFailed, "waits: ")
	r.openPath(1)
	r.waitMap(oneFailed)
	r.waitWritten()
	r.openPath(0)
	r.waitMap(bothAlive)
}
