package multipath

import (
	"fmt"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// The numbers of multipath-tools' prioritizer alua.
func TestPriority(t *testing.T) {
	for _, tt := range []struct {
		access Access
		want   int // + 80 if preferred
	}{
		{NonOptimized, 10}, {LBADependent, 5}, {Standby, 1}, {Unavailable, 0}, {Offline, 0}, {Transitional, 0}, {"", 0}, {"new", 0},
	} {
		if got, preferred := Priority(Path{Access: tt.access}), Priority(Path{Access: tt.access, Preferred: true}); got != tt.want || preferred != tt.want+80 {
			t.Errorf("%s: %d, preferred %d", tt.access, got, preferred)
		}
	}
	if Priority(Path{Access: Optimized}) != 50 || Priority(Path{Access: Optimized, Preferred: true}) != 50 {
		t.Error("an optimized path has 50")
	}
}

// disk makes a path; its number is that of the kernel's names.
func disk(name string) Path {
	return Path{Disk: name, Number: table.Number{Major: 8, Minor: uint32(name[2]-'a') * 16}, Size: 1 << 20, ID: "3600", Global: true, Vendor: "LIO-ORG", Target: "iqn.x:a"}
}

// in is a path in an access state.
func in(access Access, name string) Path {
	p := disk(name)
	p.Access = access
	return p
}

// brief is maps as "3600[sda sdb|sdc] [sdd]".
func brief(maps ...Map) string {
	var out []string
	for _, m := range maps {
		var groups []string
		for _, g := range m.Groups {
			var names []string
			for _, p := range g {
				names = append(names, p.Disk)
			}
			groups = append(groups, strings.Join(names, " "))
		}
		out = append(out, fmt.Sprintf("%s[%s]", m.ID, strings.Join(groups, "|")))
	}
	return strings.Join(out, " ")
}

func TestGroups(t *testing.T) {
	m := Map{ID: "3600"}
	for _, p := range []Path{in(Standby, "sda"), in(Optimized, "sdb"), in(NonOptimized, "sdc"), in(Optimized, "sdd"), in(Standby, "sde")} {
		m = m.With(p)
	}
	if got := brief(m); got != "3600[sdb sdd|sdc|sda sde]" || m.Size != 1<<20 {
		t.Errorf("%s, %d bytes", got, m.Size)
	}
	const text = "0 2048 multipath 1 queue_if_no_path 0 3 1 service-time 0 2 2 8:16 1 1 8:48 1 1 service-time 0 1 2 8:32 1 1 service-time 0 2 2 8:0 1 1 8:64 1 1\n"
	if got := m.Table(); got.String() != text || got.Validate() != nil {
		t.Errorf("%q, %v", got, got.Validate())
	}
	changed := m.With(in(Standby, "sdb")) // its state has changed: it goes behind the others
	if got := brief(changed, changed.Without(disk("sdc").Number), m); got != "3600[sdd|sdc|sda sde sdb] 3600[sdd|sda sde sdb] 3600[sdb sdd|sdc|sda sde]" {
		t.Error(got)
	}
	if got := brief(m.Regroup([]Path{in(Optimized, "sde"), in("", "sdc"), in(Optimized, "sda")})); got != "3600[sde sda|sdc]" {
		t.Error(got)
	}
	if got := len(m.Paths()); got != 5 {
		t.Errorf("%d paths", got)
	}
	// The kernel takes a map without a path as well.
	for _, p := range m.Paths() {
		m = m.Without(p.Number)
	}
	if got := m.Table(); got.String() != "0 2048 multipath 1 queue_if_no_path 0 0 0\n" || got.Validate() != nil {
		t.Errorf("without paths: %q, %v", got, got.Validate())
	}
}
