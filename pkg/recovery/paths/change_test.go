package paths

import (
	"errors"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// A disk that cannot join, as it is in use, stops neither another disk nor a change of the groups.
// It is tried again with growing pauses.
func TestDiskInUse(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.addSession("iqn.a:x", 60)
		r.addSession("iqn.a:x", 60)
		r.attach(2, nil)
		r.attach(3, nil)
		r.states(func() { r.joinErr = map[string]error{"sdc": errors.New("device or resource busy")} })
		r.expect("join sdc", "join sdd")
		r.states(func() { r.m.Paths[1].Access = multipath.NonOptimized })
		r.expect("regroup")
		r.logs("warning: multipath: device or resource busy",
			"info: map 36001405abc: path sdd (session 4 to iqn.a:x at 10.0.0.4:3260) joined, 3 paths",
			"info: map 36001405abc: its groups follow the access states")
		time.Sleep(4 * minChangePause)
		r.expect("join sdc", "join sdc") // after 1 s, and 2 s more
		r.states(func() { r.joinErr = nil })
		time.Sleep(maxChangePause)
		r.expect("join sdc")
	}, multipath.Optimized, multipath.Optimized)
}
