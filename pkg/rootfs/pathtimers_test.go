package rootfs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
)

const otherID = "36001405f000000016001405f00000002"

// otherLUN adds a LUN to the first session of twoPaths, with an ID of its own or with none.
func otherLUN(t *testing.T, k *pathKernel, named bool) sessionLUN {
	t.Helper()
	dir := filepath.Join(k.paths.sys, "class/block/sdc")
	page := ""
	if named {
		page = strings.TrimSuffix(pathPage, "\x01") + "\x02"
	}
	writeFiles(t, map[string]string{
		filepath.Join(dir, "size"): "131072\n", filepath.Join(dir, "dev"): "8:32\n", filepath.Join(k.paths.dev, "sdc"): "",
		filepath.Join(dir, "device/vpd_pg83"): page, filepath.Join(dir, "device/vendor"): "LIO-ORG \n",
	})
	if err := os.Symlink("../../class/block/sdc", filepath.Join(k.paths.sys, "dev/block/8:32")); err != nil {
		t.Fatal(err)
	}
	return sessionLUN{0, *ourDisk("sdc", 0, 2).LUN}
}

// A session whose LUN turns out to be another target's too has the timers of a path, for all its
// LUNs: each has a map, found at once or later. Where one cannot have a map no disks are joined.
func TestMapsOfOtherLUNs(t *testing.T) {
	for _, tt := range []struct {
		name, order string // the disks of each scan
		unnamed     bool
		refuse      string
		want        string // the disks
		paths       string // the sessions with the timers of a path
	}{
		{name: "at once", order: "acb", want: "dm-0 dm-1", paths: "01"},
		{name: "is used before", order: "ac b", want: "dm-1 dm-0", paths: "01"},
		{name: "comes later", order: "ab c", want: "dm-0 dm-1", paths: "01"},
		{name: "is the other path's", order: "b ac", want: "dm-0 dm-1", paths: "01"},
		{name: "in use", order: "ac b", refuse: otherID, want: "sda sdc"},
		{name: "without a WWID", order: "ac b", unnamed: true, want: "sda sdc"},
		{name: "without a WWID, as a further path", order: "b ac", unnamed: true, want: "sdb sdc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, k, found := twoPaths(t, false)
			k.refuse = tt.refuse
			found = append(found, otherLUN(t, k, !tt.unnamed))
			for _, scan := range strings.Fields(tt.order) {
				var luns []sessionLUN
				for _, c := range scan {
					luns = append(luns, found[c-'a'])
				}
				st.disks = append(st.disks, st.use(t.Context(), luns)...)
			}
			if got := names(st.disks); got != tt.want {
				t.Errorf("the disks are %s", got)
			}
			got := st.Sessions.(*fakeSessions).asPath
			for i := range 2 {
				if slices.Contains(got, i) != (tt.paths != "") {
					t.Errorf("sessions %v have the timers of a path", got)
				}
			}
			if log := strings.Join(st.Log.(*steptest.Recorder).Lines(), "\n"); strings.Contains(log, "lun 2 of iqn.x:0 cannot have a multipath map") != (tt.paths == "") {
				t.Error(log)
			}
		})
	}
}

// A LUN that cannot have a map does not take the timers of a path from the maps of the session.
func TestDiskBesideMap(t *testing.T) {
	st, k, found := twoPaths(t, true)
	st.disks = st.use(t.Context(), found)
	st.disks = append(st.disks, st.use(t.Context(), []sessionLUN{otherLUN(t, k, false)})...)
	if got := names(st.disks); got != "dm-0 sdc" || len(st.Sessions.(*fakeSessions).asDisk) > 0 {
		t.Errorf("the disks are %s, sessions %v have the timers of a disk", got, st.Sessions.(*fakeSessions).asDisk)
	}
	if log := strings.Join(st.Log.(*steptest.Recorder).Lines(), "\n"); !strings.Contains(log, "sdc: its I/O fails as soon as session 7 is lost") {
		t.Error(log)
	}
}
