package drivers

import (
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// Without dm_multipath a target whose portals would be paths has one session with all of them.
func TestWithoutMaps(t *testing.T) {
	const twice = "iscsi_i=iqn.2007-01.com.example:a iscsi_i_ip=10.0.0.2/24 netroot=iscsi:10.0.0.1::3260:1:iqn.2007-01.com.example:b netroot=iscsi:10.0.1.1::3260:1:iqn.2007-01.com.example:b"
	for _, tt := range []struct {
		name, line, modules string
		sessions, portals   int
		warns               bool
	}{
		{"repeated netroot=", twice, "kernel/e1000.ko:\n", 1, 2, true},
		{"the word", goodLine + ",10.0.1.1 iscsi_multipath=1", "kernel/e1000.ko:\n", 1, 2, true},
		{"the word alone", goodLine + " iscsi_multipath=1", "kernel/e1000.ko:\n", 1, 1, true},
		{"no paths", goodLine + ",10.0.1.1", "kernel/e1000.ko:\n", 1, 2, false},
		{"switched off", twice + " nompath", "kernel/e1000.ko:\n", 1, 2, false},
		{"with the module", twice, "kernel/dm-multipath.ko:\n", 2, 1, false},
		{"all is built in", twice, "", 2, 1, false},
	} {
		index, err := kmod.Read(fstest.MapFS{"modules.dep": {Data: []byte(tt.modules)}})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := bootspec.Parse(cmdline.Parse(tt.line))
		if err != nil {
			t.Fatal(err)
		}
		log := &steptest.Recorder{}
		d := New(Config{Log: log, Plan: &plan})
		d.WithoutMaps(&plan) // before the step modules: nothing is known
		d.index = index
		_, has := index.Resolve("dm_multipath")
		d.withoutMaps(&plan, has)
		if got := plan.Sessions(); len(got) != tt.sessions || len(got[0].Portals) != tt.portals || (len(log.Lines()) > 0) != tt.warns {
			t.Errorf("%s: %d sessions, %+v, %q", tt.name, len(got), got[0], log.Lines())
		}
	}
}
