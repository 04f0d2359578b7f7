package integration

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// deadPath is a way in which one of two paths is dead at the boot.
type deadPath struct {
	name string
	// dead is done before the boot, and revive after it; nil: nothing.
	dead, revive func(r *pathRig)
	cable        bool // the first NIC has no cable
	absent       bool // there is no first NIC; it never comes
}

var deadPaths = []deadPath{
	{name: "refused", dead: func(r *pathRig) { r.closePath(0) }, revive: func(r *pathRig) { r.openPath(0) }},
	{name: "second refused", dead: func(r *pathRig) { r.closePath(1) }, revive: func(r *pathRig) { r.openPath(1) }},
	{name: "black hole", dead: func(r *pathRig) { r.hole(0, true) }, revive: func(r *pathRig) { r.hole(0, false) }},
	{name: "second black hole", dead: func(r *pathRig) { r.hole(1, true) }, revive: func(r *pathRig) { r.hole(1, false) }},
	{name: "no cable", cable: true},
	{name: "no NIC", absent: true},
}

// machine is the command line for two paths, and the NICs.
func (c deadPath) machine(r *pathRig) (string, []lab.NIC) {
	line := pathTarget + pathPortals + "iscsi_multipath=1 "
	nics := []lab.NIC{{Tap: r.taps[0], MAC: "52:54:00:77:00:01"}, {Tap: r.taps[1], MAC: "52:54:00:77:00:02"}}
	if c.absent {
		return line + "ip=10.77.0.2:::24::ens9:none ip=10.78.0.2:::24::ens2:none", nics[1:]
	}
	return line + pathNICs, nics
}

// A boot with one path dead goes on with the other one, and the dead path joins when it comes. The
// machine goes down with no path.
func TestPathsDeadMatrix(t *testing.T) {
	t.Parallel()
	for _, row := range rows(t, len(deadPaths)) {
		c := deadPaths[row]
		t.Run(c.name, func(t *testing.T) {
			r := newPathRig(t, 96, "faults down")
			if c.dead != nil {
				c.dead(r)
			}
			line, nics := c.machine(r)
			r.m = r.bootWith(pathImage, line, nics...)
			if c.cable {
				r.cable(0, false)
			}
			r.expectMap()
			r.waitMap("1 alive, ")
			r.waitWritten()
			switch {
			case c.revive != nil:
				c.revive(r)
			case c.cable:
				r.cable(0, true)
			}
			if !c.absent {
				r.waitMap(bothAlive)
			}
			r.checkNoPathErrors() // what is not written when no path is left is lost, with errors
			r.goDown(func() {
				r.closePath(0)
				r.closePath(1)
			})
		})
	}
}
