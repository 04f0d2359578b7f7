package redundancy

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// raidOn makes a raid of LVM whose legs are on devices, a meta and a data device each.
func (r *rig) raidOn(name string, t table.Raid, status string, on ...string) {
	r.t.Helper()
	var parts []string
	for i, d := range on {
		for _, part := range []string{"rmeta", "rimage"} {
			node := fmt.Sprintf("dm-%s%d%s", name, i, part)
			r.linear(node, fmt.Sprintf("vg-%s_%s_%d", name, part, i), d)
			parts = append(parts, node)
		}
		t.Legs = append(t.Legs, table.Leg{Meta: r.number(parts[2*i]), Data: r.number(parts[2*i+1])})
	}
	r.mapped("dm-"+name, "vg-"+name, table.Table{{Length: 8, Target: &t}}, status, parts...)
}

func TestUse(t *testing.T) {
	disks := func(names ...string) []string { return names }
	for _, tt := range []struct {
		name  string
		build func(r *rig)
		down  []uint32 // beside session 1
		want  string   // Use.Arrays and Use.Fails
	}{
		{"a disk that is not in use", func(*rig) {}, nil, "[] []"},
		{"a mounted disk", func(r *rig) { r.mounted("sda") }, nil, "[] [sda]"},
		{"a mounted partition", func(r *rig) { r.partition("sda", "sda1"); r.partition("sda", "sda2"); r.mounted("sda2") }, nil, "[] [sda2]"},
		{"another disk is mounted", func(r *rig) { r.mounted("sdb") }, nil, "[] []"},
		{"swap", func(r *rig) {
			r.partition("sda", "sda1")
			r.write("proc/swaps", "Filename Type Size Used Priority\n/dev/sda1 partition 1 0 -2\n")
		}, nil, "[] [sda1]"},
		{"swap in a volume", func(r *rig) {
			r.linear("dm-0", "vg-swap", "sda")
			r.maps["vg-swap"] = dmDevice{}
			r.write("proc/swaps", "Filename Type Size Used Priority\n/dev/mapper/vg-swap partition 1 0 -2\n")
		}, nil, "[] [dm-0]"},
		{"a btrfs on two disks", func(r *rig) { r.link("sys/class/block/sda", "sys/fs/btrfs/uuid/devices/sda") }, nil, "[] [sda]"},
		{"below a loop device", func(r *rig) { r.write("sys/block/loop0/loop/backing_file", "/dev/sda\n") }, nil, "[] [sda]"},
		{"a file below a loop device", func(r *rig) { r.write("sys/block/loop0/loop/backing_file", "/srv/sda\n") }, nil, "[] []"},
		{"a volume below a loop device", func(r *rig) {
			r.linear("dm-0", "vg-disk", "sda")
			r.maps["vg-disk"] = dmDevice{}
			r.write("sys/block/loop1/loop/backing_file", "/dev/mapper/vg-disk\n")
		}, nil, "[] [dm-0]"},
		{"an export", func(r *rig) { r.exported("sda") }, nil, "[] [sda]"},
		{"an export of another disk", func(r *rig) { r.exported("sdb") }, nil, "[] []"},
		{"raid1 below a loop device", func(r *rig) {
			r.array("md0", "raid1", disks("sda", "sdb"))
			r.write("sys/block/loop0/loop/backing_file", "/dev/md0\n")
		}, nil, "[md0] []"},
		{"raid1 beside an export", func(r *rig) {
			r.partition("sda", "sda1")
			r.partition("sda", "sda2")
			r.array("md0", "raid1", disks("sda1", "sdb"))
			r.exported("sda2")
		}, nil, "[md0] [sda2]"},
		{"raid1 that a program has open", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb")); r.opened("/dev/md0", 0o100002) }, nil, "[md0] []"},
		{"raid1 beside what a program has open", func(r *rig) {
			r.partition("sda", "sda1")
			r.partition("sda", "sda2")
			r.array("md0", "raid1", disks("sda1", "sdb"))
			r.opened("/dev/sda2", 0o140002)
		}, nil, "[md0] [sda2]"},
		{"raid1 and its leg open in a chroot", func(r *rig) {
			r.array("md0", "raid1", disks("sda", "sdb"))
			r.opened("/srv/root/dev/sda", 0o1)
		}, nil, "[md0] [sda]"},
		{"raid1 and its legs open for reading", func(r *rig) {
			r.array("md0", "raid1", disks("sda", "sdb"))
			r.opened("/dev/sda", 0o100000)
		}, nil, "[md0] []"},
		{"raid1 and the other leg open", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb")); r.opened("/dev/sdb", 0o100002) }, nil, "[md0] []"},
		{"raid1 and a file of that name open", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb")); r.opened("/home/sda", 0o100002) }, nil, "[md0] []"},
		{"mounts that cannot be read", func(r *rig) { r.remove("proc/1/mountinfo") }, nil, "[] [sda]"},

		{"raid1", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb")) }, nil, "[md0] []"},
		{"raid1 on partitions", func(r *rig) {
			r.partition("sda", "sda1")
			r.partition("sdb", "sdb1")
			r.array("md0", "raid1", disks("sda1", "sdb1"))
			r.partition("md0", "md0p1")
			r.mounted("md0p1")
		}, nil, "[md0] []"},
		{"raid1 and the other leg down", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb")) }, []uint32{2}, "[] [md0]"},
		{"raid1 and a disk down that it does not need", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb")) }, []uint32{3}, "[md0] []"},
		{"both legs on one session", func(r *rig) { r.disk(1, 1, "sdx"); r.array("md0", "raid1", disks("sda", "sdx")) }, nil, "[] [md0]"},
		{"raid1 beside a mounted partition", func(r *rig) {
			r.partition("sda", "sda1")
			r.partition("sda", "sda2")
			r.array("md0", "raid1", disks("sda1", "sdb"))
			r.mounted("sda2")
		}, nil, "[md0] [sda2]"},
		{"the other leg has failed", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb"), "dev-sdb/state=faulty") }, nil, "[] [md0]"},
		{"the leg has failed already", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb"), "dev-sda/state=faulty,in_sync") }, nil, "[] []"},
		{"the other leg is being rebuilt", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb"), "dev-sdb/state=spare") }, nil, "[] [md0]"},
		{"the leg is being rebuilt", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb"), "dev-sda/state=spare") }, nil, "[md0] []"},
		{"the other leg's disk is gone", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb")); r.remove("sys/class/block/sdb") }, nil, "[] [md0]"},
		{"a spare", func(r *rig) {
			r.array("md0", "raid1", disks("sdb", "sdc", "sda"), "raid_disks=2", "dev-sda/slot=none", "dev-sda/state=spare")
		}, nil, "[md0] []"},
		{"a replacement", func(r *rig) {
			r.array("md0", "raid1", disks("sda", "sdb", "sdc"), "raid_disks=2", "dev-sdc/slot=1", "dev-sdc/state=spare,replacement")
		}, nil, "[md0] []"},
		{"a journal", func(r *rig) {
			r.array("md0", "raid5", disks("sda", "sdb", "sdc", "sdd"), "raid_disks=3", "dev-sdd/slot=journal", "dev-sdd/state=journal")
		}, nil, "[] [md0]"},

		{"raid0", func(r *rig) { r.array("md0", "raid0", disks("sda", "sdb")) }, nil, "[] [md0]"},
		{"linear", func(r *rig) { r.array("md0", "linear", disks("sda", "sdb")) }, nil, "[] [md0]"},
		{"raid4", func(r *rig) { r.array("md0", "raid4", disks("sda", "sdb", "sdc")) }, nil, "[md0] []"},
		{"raid5", func(r *rig) { r.array("md0", "raid5", disks("sda", "sdb", "sdc"), "layout=2") }, nil, "[md0] []"},
		{"raid5, two down", func(r *rig) { r.array("md0", "raid5", disks("sda", "sdb", "sdc")) }, []uint32{3}, "[] [md0]"},
		{"raid5, not in sync", func(r *rig) { r.array("md0", "raid5", disks("sda", "sdb", "sdc"), "resync_start=4096") }, nil, "[] [md0]"},
		{"raid5, reshaped", func(r *rig) { r.array("md0", "raid5", disks("sda", "sdb", "sdc"), "raid_disks=3 (2)") }, nil, "[] [md0]"},
		{"raid6, two down", func(r *rig) { r.array("md0", "raid6", disks("sda", "sdb", "sdc", "sdd")) }, []uint32{4}, "[md0] []"},
		{"raid6, three down", func(r *rig) { r.array("md0", "raid6", disks("sda", "sdb", "sdc", "sdd")) }, []uint32{4, 2}, "[] [md0]"},
		{"raid10, one of each pair", func(r *rig) { r.array("md0", "raid10", disks("sda", "sdb", "sdc", "sdd"), "layout=258") }, []uint32{3}, "[md0] []"},
		{"raid10, a pair", func(r *rig) { r.array("md0", "raid10", disks("sda", "sdb", "sdc", "sdd"), "layout=258") }, []uint32{2}, "[] [md0]"},
		{"raid10, far", func(r *rig) { r.array("md0", "raid10", disks("sda", "sdb", "sdc", "sdd"), "layout=513") }, []uint32{2}, "[] [md0]"},
		{"raid10, far, the next but one", func(r *rig) { r.array("md0", "raid10", disks("sda", "sdb", "sdc", "sdd"), "layout=513") }, []uint32{3}, "[md0] []"},
		{"raid10, three copies", func(r *rig) { r.array("md0", "raid10", disks("sda", "sdb", "sdc"), "layout=259") }, []uint32{2}, "[md0] []"},
		{"raid10 without a layout", func(r *rig) { r.array("md0", "raid10", disks("sda", "sdb")) }, nil, "[] [md0]"},

		{"LVM, linear", func(r *rig) { r.linear("dm-0", "vg-root", "sda") }, nil, "[] [dm-0]"},
		{"LVM, not open", func(r *rig) { r.linear("dm-0", "vg-root", "sda"); r.maps["vg-root"] = dmDevice{} }, nil, "[] []"},
		{"LVM on raid1", func(r *rig) { r.array("md0", "raid1", disks("sda", "sdb")); r.linear("dm-0", "vg-root", "md0") }, nil, "[md0] []"},
		{"LVM on raid1 and on another disk", func(r *rig) {
			r.array("md0", "raid1", disks("sda", "sdb"))
			two := table.Table{{Length: 8, Target: table.Linear{Dev: *r.number("md0")}}, {Start: 8, Length: 8, Target: table.Linear{Dev: *r.number("sdc")}}}
			r.mapped("dm-0", "vg-root", two, "", "md0", "sdc")
		}, []uint32{3}, "[md0] [dm-0]"},
		{"raid1 of raid0", func(r *rig) {
			r.array("md0", "raid0", disks("sda", "sdb"))
			r.array("md1", "raid0", disks("sdc", "sdd"))
			r.array("md2", "raid1", disks("md0", "md1"))
		}, []uint32{2}, "[md2] []"},
		{"raid1 of raid0, both sides", func(r *rig) {
			r.array("md0", "raid0", disks("sda", "sdb"))
			r.array("md1", "raid0", disks("sdc", "sdd"))
			r.array("md2", "raid1", disks("md0", "md1"))
		}, []uint32{3}, "[] [md2]"},
		{"raid0 of raid1", func(r *rig) {
			r.array("md0", "raid1", disks("sda", "sdb"))
			r.array("md1", "raid1", disks("sdc", "sdd"))
			r.array("md2", "raid0", disks("md0", "md1"))
		}, []uint32{3}, "[md0 md1] []"},
		{"a device of a kind that is not known", func(r *rig) { r.stack("bcache0", "sda") }, nil, "[] [bcache0]"},
		{"encryption on raid1", func(r *rig) {
			r.array("md0", "raid1", disks("sda", "sdb"))
			r.mapped("dm-0", "luks", nil, "", "md0")
			r.mounted("dm-0")
		}, nil, "[md0] []"},
		{"encryption", func(r *rig) { r.mapped("dm-0", "luks", nil, "", "sda"); r.mounted("dm-0") }, nil, "[] [dm-0]"},
		{"multipath", func(r *rig) {
			r.mapped("dm-0", "mpath", nil, "", "sda", "sdb")
			r.write("sys/class/block/dm-0/dm/uuid", "mpath-3600\n")
			r.mounted("dm-0")
		}, nil, "[] []"},
		{"multipath, no path", func(r *rig) {
			r.mapped("dm-0", "mpath", nil, "", "sda", "sdb")
			r.write("sys/class/block/dm-0/dm/uuid", "mpath-3600\n")
			r.mounted("dm-0")
		}, []uint32{2}, "[] [dm-0]"},

		{"LVM's raid1", func(r *rig) { r.raidOn("root", table.Raid{Level: "raid1"}, "raid1 2 AA 8/8 idle 0 0 -", "sda", "sdb") }, nil, "[vg-root] []"},
		{"LVM's raid1, both down", func(r *rig) { r.raidOn("root", table.Raid{Level: "raid1"}, "raid1 2 AA 8/8 idle 0 0 -", "sda", "sdb") }, []uint32{2}, "[] [dm-root]"},
		{"LVM's raid1, the other failed", func(r *rig) { r.raidOn("root", table.Raid{Level: "raid1"}, "raid1 2 AD 8/8 idle 0 0 -", "sda", "sdb") }, nil, "[] [dm-root]"},
		{"LVM's raid1, failed", func(r *rig) { r.raidOn("root", table.Raid{Level: "raid1"}, "raid1 2 DA 8/8 idle 0 0 -", "sda", "sdb") }, nil, "[] []"},
		{"LVM's raid1, rebuilt from it", func(r *rig) {
			r.raidOn("root", table.Raid{Level: "raid1"}, "raid1 2 Aa 4/8 recover 0 0 -", "sda", "sdb")
		}, nil, "[] [dm-root]"},
		{"LVM's raid1, resync", func(r *rig) {
			r.raidOn("root", table.Raid{Level: "raid1"}, "raid1 2 aa 4/8 resync 0 0 -", "sda", "sdb")
		}, nil, "[vg-root] []"},
		{"LVM's raid1 on one disk", func(r *rig) { r.raidOn("root", table.Raid{Level: "raid1"}, "raid1 2 AA 8/8 idle 0 0 -", "sda", "sda") }, nil, "[] [dm-root]"},
		{"LVM's raid1 without a status", func(r *rig) { r.raidOn("root", table.Raid{Level: "raid1"}, "", "sda", "sdb") }, nil, "[] [dm-root]"},
		{"LVM's raid5", func(r *rig) {
			r.raidOn("root", table.Raid{Level: "raid5_ls"}, "raid5_ls 3 AAA 8/8 idle 0 0 -", "sda", "sdb", "sdc")
		}, nil, "[vg-root] []"},
		{"LVM's raid5, resync", func(r *rig) {
			r.raidOn("root", table.Raid{Level: "raid5_ls"}, "raid5_ls 3 aaa 4/8 resync 0 0 -", "sda", "sdb", "sdc")
		}, nil, "[] [dm-root]"},
		{"LVM's raid6, two down", func(r *rig) {
			r.raidOn("root", table.Raid{Level: "raid6_zr"}, "raid6_zr 4 AAAA 8/8 idle 0 0 -", "sda", "sdb", "sdc", "sdd")
		}, []uint32{2}, "[vg-root] []"},
		{"LVM's raid10, a pair", func(r *rig) {
			r.raidOn("root", table.Raid{Level: "raid10"}, "raid10 4 AAAA 8/8 idle 0 0 -", "sda", "sdb", "sdc", "sdd")
		}, []uint32{2}, "[] [dm-root]"},
		{"LVM's raid10, one of each pair", func(r *rig) {
			r.raidOn("root", table.Raid{Level: "raid10"}, "raid10 4 AAAA 8/8 idle 0 0 -", "sda", "sdb", "sdc", "sdd")
		}, []uint32{4}, "[vg-root] []"},
		{"LVM's raid10, far", func(r *rig) {
			r.raidOn("root", table.Raid{Level: "raid10", Format: "far", Copies: 2}, "raid10 4 AAAA 8/8 idle 0 0 -", "sda", "sdb", "sdc", "sdd")
		}, []uint32{4}, "[] [dm-root]"},
		{"LVM's raid0", func(r *rig) { r.raidOn("root", table.Raid{Level: "raid0"}, "raid0 2 AA 8/8 idle 0 0 -", "sda", "sdb") }, nil, "[] [dm-root]"},
		{"LVM's raid1 beside a linear volume", func(r *rig) {
			r.raidOn("root", table.Raid{Level: "raid1"}, "raid1 2 AA 8/8 idle 0 0 -", "sda", "sdb")
			r.linear("dm-9", "vg-home", "sda")
		}, nil, "[vg-root] [dm-9]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, 4)
			tt.build(r)
			u := r.rule().Use(1, tt.down)
			if got := fmt.Sprint(u.Arrays, u.Fails); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if u.Covered() != (len(u.Arrays) > 0 && len(u.Fails) == 0) || u.Idle() != (tt.want == "[] []") {
				t.Errorf("%+v is covered: %v, idle: %v", u, u.Covered(), u.Idle())
			}
		})
	}
}

func (r *rig) remove(name string) {
	r.t.Helper()
	if err := os.RemoveAll(filepath.Join(r.dir, name)); err != nil {
		r.t.Fatal(err)
	}
}

// A stack that is deeper than any that is used is not redundant, and a circle ends.
func TestDepth(t *testing.T) {
	r := newRig(t, 2)
	r.array("md0", "raid1", []string{"sda", "sdb"})
	below := "md0"
	for i := range 12 {
		name := fmt.Sprintf("dm-%d", i)
		r.linear(name, "v"+name, below)
		below = name
	}
	r.mounted(below)
	if u := r.rule().Use(1, nil); len(u.Fails) == 0 {
		t.Errorf("%+v", u)
	}
	r.link("sys/class/block/"+below, "sys/class/block/md0/slaves/"+below)
	r.link("sys/class/block/md0", "sys/class/block/"+below+"/holders/md0")
	r.rule().Use(1, nil)
}

// A session that the kernel does not have any more has nothing.
func TestNoSession(t *testing.T) {
	if u := newRig(t, 1).rule().Use(7, nil); !u.Idle() {
		t.Errorf("%+v", u)
	}
}

// Without device-mapper's answers no device of it is redundant, and each is in use.
func TestWithoutMaps(t *testing.T) {
	r := newRig(t, 2)
	r.raidOn("root", table.Raid{Level: "raid1"}, "raid1 2 AA 8/8 idle 0 0 -", "sda", "sdb")
	rule := r.rule()
	rule.Maps = nil
	if u := rule.Use(1, nil); len(u.Fails) == 0 {
		t.Errorf("%+v", u)
	}
}
