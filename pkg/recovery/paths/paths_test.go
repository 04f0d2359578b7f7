package paths

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// A path fails at once with its session, and works again when its session is up and it can be read.
func TestSessionOfPath(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.down(1)
		r.expect("fail_path 8:0")
		r.logs("warning: map 36001405abc: path sda (session 1 to iqn.a:x at 10.0.0.1:3260) failed, 1 of 2 paths left")
		time.Sleep(time.Hour)
		r.expect()
		r.down()
		r.expect("reinstate_path 8:0")
		r.logs("info: map 36001405abc: path sda (session 1 to iqn.a:x at 10.0.0.1:3260) is back, 2 of 2 paths")
		if n := r.readsSoFar(); n != 1 {
			t.Errorf("read %d times", n)
		}
		if m := string(r.keep.Memory().Append(nil)); m != "path \"36001405abc\" \"8:0\" 1 false 1\n" {
			t.Errorf("the state is %q", m)
		}
	}, "", "")
}

// A session that the agent does not have now says nothing about its paths.
func TestUnknownSession(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.keep.Update([]recovery.Status{{SID: 2, Up: true}})
		synctest.Wait()
		r.expect()
		r.keep.Update([]recovery.Status{{SID: 1, Up: true, Ended: true}, {SID: 2, Up: true}})
		synctest.Wait()
		r.expect("fail_path 8:0")
	}, "", "")
}

// A path that the kernel has failed although its session is up is read with growing pauses, and
// reinstated when that succeeds.
func TestPathWithErrors(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.states(func() { r.readErr, r.m.Paths[1].Failed = errors.New("I/O error"), true })
		time.Sleep(time.Minute)
		if n := r.readsSoFar(); n < 12 || n > 16 {
			t.Errorf("%d reads in a minute", n)
		}
		r.states(func() { r.readErr = nil })
		for r.failed(1) {
			time.Sleep(10 * time.Millisecond)
		}
		r.expect("reinstate_path 8:16")
		r.states(func() { r.m.Paths[1].Failed = true }) // at once again
		time.Sleep(maxProbePause - time.Second)
		r.expect()
		time.Sleep(2 * time.Second)
		r.expect("reinstate_path 8:16")
		time.Sleep(stable)
		r.states(func() { r.m.Paths[1].Failed = true })
		r.expect("reinstate_path 8:16")
	}, "", "")
}

// Without a path I/O waits for as long as the sessions say, and waits again when one was back.
func TestQueue(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.down(1, 2)
		time.Sleep(59 * time.Second)
		r.expect("fail_path 8:0", "fail_path 8:16")
		time.Sleep(2 * time.Second)
		r.expect("fail_if_no_path")
		if len(r.log) != 4 || r.log[2] != "error: map 36001405abc: no path is left: I/O waits for up to 60 s" ||
			r.log[3] != "error: map 36001405abc: no path for 60 s: I/O fails until one is back" {
			t.Errorf("log %q", r.log)
		}
		time.Sleep(time.Hour)
		r.expect()
		r.down(1)
		r.expect("reinstate_path 8:16", "queue_if_no_path")
		r.down(1, 2)
		r.expect("fail_path 8:16")
	}, "", "")
}

// A queue without a limit stays on.
func TestQueueWithoutLimit(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.states(func() { r.sessions[0].queue = session.Never })
		r.down(1)
		time.Sleep(time.Hour)
		r.down()
		r.expect("fail_path 8:0", "reinstate_path 8:0")
	}, "")
}

// A queue that another program has switched off is switched on while a path works, which is logged
// once.
func TestQueueOfOthers(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		for range 2 {
			r.states(func() { r.m.Queue = false })
			r.expect("queue_if_no_path")
		}
		r.logs("warning: map 36001405abc: its I/O did not wait for a path, maybe by multipathd: I/O waits again while no path is left")
		r.states(func() { r.sessions[0].up, r.m.Queue, r.m.Paths[0].Failed = false, false, true })
		time.Sleep(time.Hour)
		r.expect()
		r.down()
		r.expect("reinstate_path 8:0", "queue_if_no_path")
	}, "")
}

// A map that another program has made of disks that are no paths is left to it.
func TestMapOfOthers(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.addSession("iqn.b:x", 0)
		r.states(func() { r.m.Paths[0].Session, r.m.Queue = 2, false })
		r.states(func() { r.m.Queue, r.m.Paths[0].Failed = true, true })
		r.down(2)
		time.Sleep(time.Hour)
		r.expect()
		r.logs()
	}, "")
}

// If an array works without the map its I/O fails earlier, so that the array drops the member.
func TestMapOfMirror(t *testing.T) {
	keeping(t, func(c *Config) { c.MirrorTimeout = 10 * time.Second }, func(r *rig) {
		r.down(1)
		time.Sleep(20 * time.Second)
		r.expect("fail_path 8:0")
		time.Sleep(10 * time.Second)
		r.expect()
		r.states(func() { r.covered = true })
		time.Sleep(recheck)
		r.expect("fail_if_no_path")
		r.down()
		r.expect("reinstate_path 8:0", "queue_if_no_path")
	}, "")
}

// A disk that comes late joins its map, also one of another target if the WWID is given, whose
// session becomes that of a path then. A clone of the LUN does not.
func TestLateDisks(t *testing.T) {
	allow := func(c *Config) { c.Allow = func() []multipath.ID { return []multipath.ID{wwid} } }
	keeping(t, allow, func(r *rig) {
		late := r.addSession("iqn.b:x", 0)
		clone := r.addSession("iqn.c:x", 0)
		r.attach(1, nil)
		r.attach(2, func(p *multipath.Path) { p.Size = 2 << 20 })
		r.states(nil)
		r.expect("join sdb")
		if late.queue != 60 || !late.timers || clone.queue != 0 {
			t.Errorf("the sessions are %+v and %+v", late, clone)
		}
		r.logs("info: map 36001405abc: path sdb (session 2 to iqn.b:x at 10.0.0.2:3260) joined, 2 paths")
	}, "")
}

// A disk joins when the kernel has the time-outs of all sessions. A session whose disk cannot join
// has those of a disk again. One that has joined is saved.
func TestTimersBeforeJoin(t *testing.T) {
	saved := 0
	keeping(t, func(c *Config) { c.Changed = func() { saved++ } }, func(r *rig) {
		late := r.addSession("iqn.a:x", 0)
		r.attach(1, nil)
		for _, s := range r.sessions {
			r.states(func() { s.due = true })
			r.expect()
			r.states(func() { s.due = false })
			if late.queue != 0 {
				t.Errorf("session %d is due: %+v", s.sid, late)
			}
		}
		r.states(func() { r.changeErr = errors.New("busy") })
		time.Sleep(2 * maxChangePause)
		r.expect("join sdb", "join sdb")
		if late.queue != 60 || !late.timers || saved != 1 {
			t.Errorf("%+v, saved %d times", late, saved)
		}
	}, "")
}

// A disk of another target does not join on its own, whose WWID may be that of a copied target. One
// of a target that had a path in the map joins again.
func TestLateDisksOfOtherTarget(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.addSession("iqn.b:x", 0)
		r.attach(1, nil)
		r.states(nil)
		r.expect()
		r.states(func() { r.m.Paths = append(r.m.Paths, maps.Path{Path: pathOf(1, ""), Session: 2}) })
		r.states(func() { r.m.Paths = r.m.Paths[:1] })
		r.expect("join sdb")
	}, "")
}

// A path whose disk is gone leaves the map, but for the last one.
func TestDiskGone(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.states(func() { r.m.Paths[1].Disk, r.m.Paths[1].Session = "", 0 })
		r.expect("leave 8:16")
		r.logs("info: map 36001405abc: path 8:16 is gone, 1 left")
	}, "", "")
}

// A map whose disks are gone holds its I/O as long as before, and a new disk of its LUN joins it.
func TestAllDisksGone(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.states(func() {
			r.m.Paths[0].Path, r.m.Paths[0].Session, r.m.Paths[0].Failed = multipath.Path{Number: number(0)}, 0, true
		})
		time.Sleep(59 * time.Second)
		r.expect()
		time.Sleep(2 * time.Second)
		r.expect("fail_if_no_path")
		r.addSession("iqn.a:x", 60)
		r.addSession("iqn.b:x", 60) // another target, which may be a copy
		r.addSession("iqn.a:x", 60)
		r.attach(1, func(p *multipath.Path) { p.Size++ })
		r.attach(2, nil)
		r.attach(3, nil)
		r.states(nil)
		r.expect("join sdd", "queue_if_no_path")
	}, "")
}

// While a change of the table waits for I/O, paths are failed.
func TestChangeThatWaits(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		stuck := make(chan struct{})
		r.states(func() { r.stuck, r.m.Paths[2].Disk, r.m.Paths[2].Session = stuck, "", 0 })
		r.expect("leave 8:32")
		r.down(1)
		r.expect("fail_path 8:0")
		close(stuck)
		synctest.Wait()
		r.expect()
	}, "", "", "")
}

// The best group that has a path is used, and the groups are made anew when the access states have
// changed, not when another program has made them.
func TestGroups(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.states(func() { r.m.Groups = []byte("AE") })
		r.expect()
		r.down(1)
		r.states(func() { r.m.Groups = []byte("EA") })
		r.expect("fail_path 8:0")
		r.down()
		r.expect("reinstate_path 8:0", "switch_group 1")
		r.states(func() { r.m.Paths[0].Access = multipath.Transitional })
		r.expect("switch_group 2")
		r.states(func() {
			r.changeErr, r.m.Paths[0].Access, r.m.Paths[1].Access = errors.New("busy"), multipath.NonOptimized, multipath.Optimized
		})
		r.expect("regroup")
		time.Sleep(2 * minChangePause)
		r.expect("regroup")
		r.states(func() { r.m.Paths[0].Group, r.m.Paths[1].Group, r.m.Groups = 0, 0, []byte("A") })
		r.expect()
	}, multipath.Optimized, multipath.NonOptimized)
}

// A map that cannot be read stops nothing of another one, and is not forgotten.
func TestListFails(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.states(func() { r.listErr = errors.New("list multipath maps: other: no table") })
		r.logs("warning: multipath: list multipath maps: other: no table")
		r.down(1)
		r.expect("fail_path 8:0")
		time.Sleep(50 * time.Second)
		r.states(func() { r.hidden = true })
		time.Sleep(5 * time.Second)
		r.states(func() { r.hidden, r.listErr = false, nil })
		r.expect()
		time.Sleep(6 * time.Second)
		r.expect("fail_if_no_path")
	}, "")
}

// Without a session of a path device-mapper is not read.
func TestWithoutPaths(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.states(func() { r.sessions[0].queue = 0 })
		n := r.listsSoFar()
		r.down(1)
		time.Sleep(time.Hour)
		if now := r.listsSoFar(); now != n {
			t.Errorf("read %d times", now-n)
		}
	}, "")
	var none *Keeper
	none.Update(nil)
	none.Wake()
	if m := none.Memory(); m.Append(nil) != nil {
		t.Error("a nil Keeper has a state")
	}
}

// The next Keeper continues the time without a path, logs nothing again, and queues again what the
// first has switched off.
func TestNextKeeper(t *testing.T) {
	keeping(t, nil, func(r *rig) {
		r.down(1)
		time.Sleep(50 * time.Second)
		r.expect("fail_path 8:0")
		r.logs("warning: map 36001405abc: path sda (session 1 to iqn.a:x at 10.0.0.1:3260) failed, 0 of 1 paths left",
			"error: map 36001405abc: no path is left: I/O waits for up to 60 s")
		next := New(Config{Sys: r.sys, Maps: r, Log: r, Sessions: r.list, Read: r.read, Past: reread(t, r.keep.Memory())})
		if next.maps[wwid].since > 0 || next.maps[wwid].since < -time.Minute || next.maps[wwid].paths["8:0"].failures != 1 {
			t.Errorf("%+v", next.maps[wwid])
		}
		next.maps[wwid].since = -50 * time.Second // as clock.SinceBoot, which the bubble does not have, would show
		ctx, cancel := context.WithCancel(r.t.Context())
		go next.Run(ctx)
		next.Update([]recovery.Status{{SID: 1}})
		synctest.Wait()
		r.logs()
		time.Sleep(9 * time.Second)
		r.expect()
		cancel()
	}, "")
}

func reread(t *testing.T, m Memory) (out Memory) {
	t.Helper()
	readLines(t, m.Append(nil), &out)
	if !slices.Equal(out.Append(nil), m.Append(nil)) {
		t.Errorf("read %q", out.Append(nil))
	}
	return out
}
