package blockdev

import (
	"slices"
	"testing"
)

func TestHolders(t *testing.T) {
	sys := tree(t, map[string]string{
		"class/block/sda/sda1/holders/dm-0/x":   "",
		"class/block/sda/sda2/holders/md0/x":    "",
		"class/block/sda/queue/holders/dm-7/x":  "", // no partition
		"class/block/md0/holders/dm-1/x":        "",
		"class/block/md0/md0p1/holders/dm-2/x":  "",
		"class/block/dm-0/holders/dm-3/x":       "",
		"class/block/dm-2/holders/dm-0/x":       "", // again
		"class/block/dm-0/holders/md0/x":        "", // a circle, which the kernel does not make
		"class/block/sdb/holders/dm-1/x":        "",
		"class/block/dm-1/slaves/sdb/x":         "",
		"class/block/sdc/sdc1/partition":        "1\n",
		"class/block/sdc/sdc1/holders/dm-9/dev": "253:9\n",
	})
	for name, want := range map[string][]string{
		"sda":  {"dm-0", "md0", "dm-1", "dm-2", "dm-3"},
		"sdb":  {"dm-1"},
		"sdc":  {"dm-9"},
		"dm-1": nil,
		"sdz":  nil,
	} {
		got := Holders(sys, name)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("on %s stand %q, want %q", name, got, want)
		}
	}
}
