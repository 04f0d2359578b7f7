package rootfs

import (
	"context"
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// A LUN that was detached from all paths is not scanned for on further ones.
func TestDetachPaths(t *testing.T) {
	st, _, found := twoPaths(t, true)
	st.disks = st.use(t.Context(), found)
	st.luns = &fakeLUNs{luns: [][]uint64{{1}, {1}}, have: [][]blockdev.LUN{{found[0].LUN}, {found[1].LUN}}}
	for i, want := range []int{1, 0} {
		st.detachAll(t.Context(), i, []blockdev.LUN{found[i].LUN})
		if got := st.LUNsOfPaths(1); len(got) != want {
			t.Errorf("without path %d the LUNs are %v: %q", i, got, st.Log.(*steptest.Recorder).Lines())
		}
	}
	st.use(t.Context(), found[:1])
	if st.Forget(); len(st.LUNsOfPaths(0)) > 0 {
		t.Error("the LUNs of another target are scanned for")
	}
}

// A read of a map ends when all its sessions are down.
func TestReadsOfPaths(t *testing.T) {
	for _, down := range [][]int{{0}, {1}, {0, 1}} {
		st, _, found := twoPaths(t, true)
		st.disks = st.use(t.Context(), found)
		st.Sessions = &downSessions{fakeSessions{list: someSessions(2)}, down}
		r := st.newReads(t.Context())
		err := r.On("dm-0").Err()
		if (err != nil) != (len(down) == 2) {
			t.Errorf("sessions %v are down: %v", down, err)
		}
		if err != nil && err.Error() != "session 7 to iqn.x:0 and session 8 to iqn.x:1 are down" {
			t.Error(err)
		}
		r.End()
	}
}

// downSessions are sessions of which some are down.
type downSessions struct {
	fakeSessions
	down []int
}

func (d *downSessions) WaitDown(ctx context.Context, i int) error {
	if slices.Contains(d.down, i) {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// A name of a multipath map stands for no array: none is started to find it.
func TestMapNeedsNoArray(t *testing.T) {
	st, _, _ := twoPaths(t, true)
	for _, by := range []bootspec.By{bootspec.ByMap, bootspec.ByOnlyMap} {
		if _, ok := st.wantsFor(bootspec.Device{By: by, Text: pathID}).onArrays(false); ok {
			t.Errorf("%v: arrays are started", by)
		}
	}
}

// Sessions are paths to one target if its name and LUN may be the same.
func TestSessionsOfTarget(t *testing.T) {
	st, _, _ := twoPaths(t, true)
	for _, c := range []struct {
		name string
		luns [2]iscsi.LUN
		want int
	}{
		{"iqn.x:t", [2]iscsi.LUN{iscsi.MakeLUN(1), iscsi.MakeLUN(1)}, 2},
		{"iqn.x:t", [2]iscsi.LUN{iscsi.MakeLUN(1), iscsi.MakeLUN(2)}, 1},
		{"iqn.x:T", [2]iscsi.LUN{iscsi.MakeLUN(1), iscsi.MakeLUN(1)}, 2},
		{"iqn.x:u", [2]iscsi.LUN{iscsi.MakeLUN(1), iscsi.MakeLUN(1)}, 1},
	} {
		for i, name := range []string{"iqn.x:t", c.name} {
			st.Spec.Targets[i].Name = bootspec.Value[string]{V: name, From: "iscsi_t="}
			st.Spec.Targets[i].LUN = bootspec.Value[iscsi.LUN]{V: c.luns[i], From: "iscsi_lun="}
		}
		if got := st.paths(1); len(got) != c.want {
			t.Errorf("%+v: the paths are %v", c, got)
		}
		st.Spec.Targets[1].LUN.From = ""
		if got, want := len(st.paths(0)) == 2, c.name != "iqn.x:u"; got != want {
			t.Errorf("%+v: paths without a LUN: %v", c, got)
		}
	}
}
