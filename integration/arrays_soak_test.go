//go:build soak

package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
)

// arrayLevels are how root is made of each level that make test does not boot from, on how many
// disks, and how many of them may be away. A member with a superblock at its end has the root file
// system at its start.
var arrayLevels = []struct {
	name, args  string
	disks, away int
}{
	{"linear", "--level=linear", 2, 0},
	{"raid0", "--level=0 --chunk=64", 2, 0},
	{"raid1at0", "--level=1 --metadata=1.1", 2, 1},
	{"raid1atend", "--level=1 --metadata=1.0 --bitmap=internal", 2, 1},
	{"raid4", "--level=4 --chunk=32", 3, 1},
	{"raid5", "--level=5 --chunk=64", 3, 1},
	{"raid6", "--level=6 --chunk=16", 4, 2},
	{"raid10", "--level=10 --layout=n2 --chunk=64", 4, 1},
}

// levelArrays are arrays of these levels.
var levelArrays = sync.OnceValues(func() (*volumes.Made, error) {
	var recipes []volumes.Recipe
	for _, l := range arrayLevels {
		r := volumes.Recipe{Name: l.name, Commands: "array root " + l.args + " --raid-devices=$# $@\nfill root /dev/md/root\n"}
		for range l.disks {
			r.Disks = append(r.Disks, volumes.Disk{MiB: 24})
		}
		recipes = append(recipes, r)
	}
	return makeArrays("levels", recipes)
})

// twoParts is a GPT whose second partition is a member.
const twoParts = "label: gpt\nstart=1MiB, size=1MiB\nstart=2MiB, size=29MiB\n"

// nests are stacks of partitions, arrays and volumes, and arrays that are not as they were made.
var nests = []struct {
	name     string
	root     string // the device that root is mounted from, without the number of an array
	commands string
	disks    []volumes.Disk
}{
	{"partitions", "/dev/md", `
array root --level=1 --raid-devices=2 ${1}2 ${2}2
fill root /dev/md/root
`, []volumes.Disk{{MiB: 32, Table: twoParts}, {MiB: 32, Table: twoParts}}},
	{"partitioned", "/dev/md", `
array disk --level=1 --raid-devices=2 $1 $2
disk=$(readlink -f /dev/md/disk)
printf 'n\np\n1\n2048\n\nw\n' | fdisk $disk || true
fill root ${disk}p1
`, disks(2)},
	{"md-lvm", "/dev/mapper/vg-root", `
array lower --level=1 --raid-devices=2 $1 $2
vgcreate -s 1M vg /dev/md/lower
lvcreate -l 16 -n root vg
fill root /dev/vg/root
`, disks(2)},
	{"lvm-md", "/dev/md", `
vgcreate -s 1M one $1
vgcreate -s 1M two $2
lvcreate -l 20 -n leg one
lvcreate -l 20 -n leg two
array root --level=1 --raid-devices=2 /dev/one/leg /dev/two/leg
fill root /dev/md/root
`, disks(2)},
	{"lvm-md-lvm", "/dev/mapper/vg-root", `
vgcreate -s 1M one $1
vgcreate -s 1M two $2
lvcreate -l 24 -n leg one
lvcreate -l 24 -n leg two
array middle --level=1 --raid-devices=2 /dev/one/leg /dev/two/leg
vgcreate -s 1M vg /dev/md/middle
lvcreate -l 16 -n root vg
fill root /dev/vg/root
`, disks(2)},
	{"md-md", "/dev/md", `
array left --level=1 --raid-devices=2 $1 $2
array right --level=1 --raid-devices=2 $3 $4
array root --level=0 --raid-devices=2 /dev/md/left /dev/md/right
fill root /dev/md/root
`, disks(4)},
	{"md-raidlv", "/dev/mapper/vg-root", `
array left --level=0 --raid-devices=2 $1 $2
vgcreate -s 1M vg /dev/md/left $3
lvcreate --type raid1 -m 1 -l 16 -n root vg
fill root /dev/vg/root
synced vg-root
`, disks(3)},
	{"foreign", "/dev/md", `
mdadm --create /dev/md/root --run --homehost=elsewhere --assume-clean --level=1 --raid-devices=2 $1 $2
fill root /dev/md/root
`, disks(2)},
	{"stale", "/dev/md", `
array root --level=1 --raid-devices=2 $1 $2
fill load /dev/md/root
mdadm /dev/md/root --fail $1
mdadm /dev/md/root --remove $1
fill root /dev/md/root
`, []volumes.Disk{{MiB: 64}, {MiB: 64}}},
}

func disks(n int) []volumes.Disk { return slices.Repeat([]volumes.Disk{{MiB: 32}}, n) }

var nestArrays = sync.OnceValues(func() (*volumes.Made, error) {
	var recipes []volumes.Recipe
	for _, n := range nests {
		recipes = append(recipes, volumes.Recipe{Name: n.name, Commands: n.commands, Disks: n.disks})
	}
	return makeArrays("nests", recipes)
})

// Root on each level, whole and with as many members away as the level can do without.
func TestSoakArraysLevels(t *testing.T) {
	for _, l := range arrayLevels {
		t.Run(l.name, func(t *testing.T) { soakArray(t, levelArrays, l.name, "/dev/md", 0) })
		if l.away > 0 {
			t.Run(l.name+" degraded", func(t *testing.T) { soakArray(t, levelArrays, l.name, "/dev/md", l.away) })
		}
	}
}

// Root on an array that is mounted read-only: nothing is written, neither to start the array nor to
// stop it.
func TestSoakArraysReadOnly(t *testing.T) {
	for _, recipe := range []string{"raid1at0", "raid5", "raid10"} {
		t.Run(recipe, func(t *testing.T) {
			r := newVolumeRig(t, levelArrays, recipe)
			before := r.sums()
			r.oneTarget(r.group.Paths...)
			m := r.boot(arrayImage, "", "console=ttyS0 ro "+seedLine)
			r.expect(m, "guest: mount: /dev/md", " / ext4 ro,", "array_state=read-auto")
			r.waitOff(m)
			if !slices.Equal(r.sums(), before) {
				t.Error("a disk was written to")
			}
		})
	}
}

// Root on each stack of partitions, arrays and volumes.
func TestSoakArraysNested(t *testing.T) {
	for _, n := range nests {
		t.Run(n.name, func(t *testing.T) { soakArray(t, nestArrays, n.name, n.root, 0) })
	}
}

// soakArray boots from a recipe's disks, the first of which are away, and checks that root is
// writable and whole afterwards, as mdadm and lvm2 find it.
func soakArray(t *testing.T, set func() (*volumes.Made, error), recipe, device string, away int) {
	r := newVolumeRig(t, set, recipe)
	paths := r.group.Paths[away:]
	r.oneTarget(paths...)
	m := r.boot(arrayImage, "", "console=ttyS0 rw root=UUID="+volumeRoot+" "+seedLine)
	r.expect(m, "guest: mount: "+device, " / ext4 rw,")
	r.waitOff(m)
	r.checkNotShown(m, "guest: mdadm --detail", "I/O error")
	read := "vg/root"
	switch {
	case device != "/dev/md":
	case recipe == "foreign":
		read = "md/elsewhere:root"
	case recipe == "partitioned":
		read = "md127p1" // its link is made by udev
	default:
		read = "md/root"
	}
	r.group.Paths = paths
	d, err := r.group.Read(r.ctx, read, 16, filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(0); err != nil {
		t.Error(err)
	}
}

// Stripes of which a member is missing do not start, and nothing is written; the member is named,
// and the boot goes on when its target comes.
func TestSoakArraysMissingStripe(t *testing.T) {
	r := newVolumeRig(t, levelArrays, "raid0")
	r.oneTarget(r.group.Paths[0])
	before := r.sums()
	m := r.boot(arrayImage, "", twoTargetsLine+"ip=10.77.0.2:::255.255.255.0::eth0:none root=UUID="+volumeRoot)
	r.expect(m, "array diskless:root: raid0", "missing in slot 1: waiting for target "+secondTarget)
	time.Sleep(40 * time.Second) // longer than redundant arrays wait
	if !slices.Equal(r.sums(), before) {
		t.Error("a disk was written to")
	}
	r.checkNotShown(m, "guest: mount: ")
	r.startSecond(r.group.Paths[1])
	r.expect(m, "guest: mount: /dev/md")
	r.waitOff(m)
}

// Both targets of a mirror are away for a minute, and one of them comes back a minute later: the
// writes wait, and there is no error.
func TestSoakArraysBothTargetsAway(t *testing.T) {
	r := newMirrorRig(t, "mirror")
	r.startSecondLeg()
	r.m = r.boot(arrayImage, "", mirrorLine)
	r.expect(r.m, "guest: mount: /dev/md")
	r.waitWritten()
	r.stopTarget()
	if err := r.second.Stop(); err != nil {
		t.Fatal(err)
	}
	r.expect(r.m, "connection lost", "connection lost")
	r.sleep(time.Minute)
	r.target = r.oneTarget(r.group.Paths[0])
	r.expect(r.m, targetName+": logged in again after")
	r.waitWritten()
	r.startSecondLeg()
	r.waitArray("degraded=0", "sync_action=idle", "slot=0", "slot=1")
	r.goDown()
	r.checkMirror()
}

// One target of a mirror dies, and comes back without the LUN, which it has some time later, as a
// storage server that starts: the session that was made anew is scanned until there is the disk.
func TestSoakArraysLateLUN(t *testing.T) {
	r := newMirrorRig(t, "mirror")
	r.startSecondLeg()
	r.m = r.boot(arrayImage, "", mirrorLine)
	r.expect(r.m, "guest: mount: /dev/md")
	r.waitWritten()
	if err := r.second.Stop(); err != nil {
		t.Fatal(err)
	}
	r.waitArray("degraded=1")
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	r.second = r.startTgtd(targets.Config{Name: secondTarget, Portal: portal(3261), LUNs: map[int]string{2: other}})
	r.expect(r.m, secondTarget+": logged in again after")
	r.sleep(20 * time.Second) // longer than until the second scan
	r.waitArray("degraded=1")
	if err := r.second.AddLUN(r.ctx, 1, r.group.Paths[1]); err != nil {
		t.Fatal(err)
	}
	r.waitArray("degraded=0", "sync_action=idle", "slot=0", "slot=1")
	r.goDown()
	r.checkMirror()
}

// A member that the array has gone on without is on a LUN that no source names: the LUN is
// attached, and the agent has the member brought up to date.
func TestSoakArraysMemberOnOtherLUN(t *testing.T) {
	r := newMirrorRig(t, "mirror")
	const line = "console=ttyS0 rw iscsi_lun=1 " + seedLine
	end := func() {
		r.waitWritten()
		r.typeLine("end")
		r.expect(r.m, "guest: loaded ", "guest: ready to go down")
		r.typeLine("")
		if exit, err := r.m.Wait(r.ctx); err != nil || exit.Reason != "guest-shutdown" {
			t.Fatalf("machine ended with %+v, %v", exit, err)
		}
		if err := r.target.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	r.m = r.boot(arrayImage, "", line)
	r.expect(r.m, "is started without 1 of its members", "guest: mount: /dev/md")
	r.waitArray("degraded=1")
	end()
	r.target = r.oneTarget(r.group.Paths...)
	r.m = r.boot(arrayImage, "", line)
	r.expect(r.m, "lacks 1 of its members: looking at 2 more LUNs of "+targetName, "is a member of an array in use: it stays attached", "guest: mount: /dev/md")
	r.waitArray("degraded=0", "sync_action=idle", "slot=0", "slot=1")
	end()
	r.checkMirror()
}

// refused are arrays that are named and left alone. Without mdmon mdadm makes those of its
// containers read-only.
var refused = []struct{ name, metadata, word, commands string }{
	{"v090", "0.90", "0.90", "array root --level=1 --raid-devices=2 --metadata=0.90 $1 $2\nfill root /dev/md/root\n"},
	{"imsm", "imsm", "IMSM", `
export IMSM_NO_PLATFORM=1 IMSM_DEVNAME_AS_SERIAL=1
mdadm --create /dev/md/container --run --metadata=imsm --raid-devices=2 $1 $2
mdadm --create /dev/md/root --run --level=1 --raid-devices=2 --assume-clean /dev/md/container || true
`},
	{"ddf", "ddf", "DDF", `
mdadm --create /dev/md/container --run --metadata=ddf --raid-devices=2 $1 $2
mdadm --create /dev/md/root --run --level=1 --raid-devices=2 --assume-clean /dev/md/container || true
`},
}

var refusedArrays = sync.OnceValues(func() (*volumes.Made, error) {
	var recipes []volumes.Recipe
	for _, f := range refused {
		recipes = append(recipes, volumes.Recipe{Name: f.name, Commands: f.commands, Disks: []volumes.Disk{{MiB: 64}, {MiB: 64}}})
	}
	return makeArrays("refused", recipes)
})

// Root on an array whose superblock is not supported: the screen names it, and nothing is written.
func TestSoakArraysRefused(t *testing.T) {
	for _, f := range refused {
		t.Run(f.name, func(t *testing.T) {
			r := newVolumeRig(t, refusedArrays, f.name)
			before := r.sums()
			r.oneTarget(r.group.Paths...)
			m := r.boot(arrayImage, "", "console=ttyS0 root=UUID="+volumeRoot+" "+seedLine)
			r.expect(m, "iscsiroot: step root failed after")
			if !strings.Contains(m.Output(), f.word) {
				t.Errorf("the console does not show %q", f.word)
			}
			if err := m.Stop(); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.sums(), before) {
				t.Error("a disk was written to")
			}
		})
	}
}
