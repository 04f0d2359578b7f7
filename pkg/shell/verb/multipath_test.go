package verb

import (
	"bytes"
	"errors"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

func TestMultipath(t *testing.T) {
	// No session of the machine that the test runs on has such an id.
	const sid = 1<<32 - 1
	one := maps.Map{
		Name: "36001", Size: 96 << 20, Queue: true, Groups: []byte("AE"),
		Paths: []maps.Path{
			{Path: multipath.Path{Disk: "sda", Access: multipath.Optimized}, Session: sid},
			{Path: multipath.Path{Number: table.Number{Major: 8, Minor: 16}}, Group: 1, Failed: true, Failures: 2},
		},
	}
	busy := errors.New("busy")
	for name, tt := range map[string]struct {
		all       []maps.Map
		err       error
		want, bad string
	}{
		"none":       {bad: "there is no multipath map"},
		"unreadable": {err: busy, bad: "busy"},
		"one": {all: []maps.Map{one}, want: "36001: multipath, 96 MiB, 1 of 2 paths work, I/O waits if no path is left\n" +
			"  sda        session 4294967295, group 1 (in use), active/optimized, works, failures 0\n" +
			"  8:16       no session, group 2, failed, failures 2\n"},
	} {
		var out bytes.Buffer
		err := multipathVerb(func() ([]maps.Map, error) { return tt.all, tt.err }).Run(t.Context(), &Call{Name: "multipath", Out: &out})
		if out.String() != tt.want || err == nil && tt.bad != "" || err != nil && err.Error() != tt.bad {
			t.Errorf("%s: %q, %v", name, out.String(), err)
		}
	}
}
