package status

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	multi "github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

func TestMultipath(t *testing.T) {
	path := func(disk string, minor, sid uint32, group int, failures uint32) maps.Path {
		return maps.Path{
			Path: multi.Path{Disk: disk, Number: table.Number{Major: 8, Minor: minor}, Access: multi.Optimized}, Session: sid, Group: group,
			Failed: failures > 0, Failures: failures,
		}
	}
	all := []maps.Map{
		{Name: "36001", Size: 96 << 20, Queue: true, Groups: []byte("AE"), Paths: []maps.Path{path("sda", 0, 1, 0, 0), path("sdb", 16, 2, 1, 3)}},
		{Name: "36002", Size: 1 << 20, Groups: []byte("D"), Paths: []maps.Path{path("", 32, 0, 0, 1), path("sdd", 48, 3, 0, 1)}},
		{Name: "local", Groups: []byte("A"), Paths: []maps.Path{path("sde", 64, 0, 0, 1)}},
	}
	all[1].Paths[0].Access = ""
	dir := system(t, map[string]string{
		"sys/class/iscsi_connection/connection1:0/address":            "10.0.0.1\n",
		"sys/class/iscsi_connection/connection1:0/port":               "3260\n",
		"sys/class/iscsi_connection/connection2:0/persistent_address": "fd00::1\n",
		"sys/class/iscsi_connection/connection2:0/persistent_port":    "3261\n",
	}).Sys
	text, wrong := multipath(dir, ofSessions(all))
	const want = "36001: multipath, 96 MiB, 1 of 2 paths work, I/O waits if no path is left\n" +
		"  sda        session 1 at 10.0.0.1 port 3260, group 1 (in use), active/optimized, works, failures 0\n" +
		"  sdb        session 2 at fd00::1 port 3261, group 2, active/optimized, failed, failures 3\n" +
		"36002: multipath, 1 MiB, 0 of 2 paths work, I/O fails if no path is left\n" +
		"  8:32       no session, group 1 (disabled), failed, failures 1\n" +
		"  sdd        session 3, group 1 (disabled), active/optimized, failed, failures 1\n"
	if text != want {
		t.Errorf("%s", text)
	}
	if !slices.Equal(wrong, []string{"map 36001 has 1 of 2 paths", "map 36002 has no path"}) {
		t.Errorf("wrong %q", wrong)
	}
	if text := Maps(dir, all); !strings.Contains(text, "local: multipath, 0 MiB, 0 of 1 paths work, ") {
		t.Errorf("a map without a session: %s", text)
	}
	report, _ := Report(System{Sys: t.TempDir(), Maps: func() ([]maps.Map, error) { return all[:1], errors.New("busy") }})
	if !strings.Contains(report, "multipath maps cannot be read: busy\n36001: multipath") {
		t.Errorf("report %s", report)
	}
}
