//go:build soak

package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
)

// segmentTypes are how vg/root is made for each type of segment, and on how many disks; volumes of
// 16 extents of 1 MiB.
var segmentTypes = []struct {
	name, args string
	disks      int
	redundant  bool // it has an initial synchronization
}{
	{"striped", "-i 2 -I 64K -l 16", 2, false},
	{"raid0", "--type raid0 -i 2 -I 16K -l 16", 2, false},
	{"raid4", "--type raid4 -i 2 -I 32K -l 16", 3, true},
	{"raid5", "--type raid5 -i 2 -I 64K -l 16", 3, true},
	{"raid6", "--type raid6 -i 3 -I 16K -l 18", 5, true},
	{"raid10", "--type raid10 -i 2 -m 1 -l 16", 4, true},
}

// soakVolumes are the volume groups that only make soak needs.
var soakVolumes = sync.OnceValues(func() (*volumes.Made, error) {
	recipes := []volumes.Recipe{
		{Name: "many", Disks: []volumes.Disk{{MiB: 72}}, Commands: `
vgcreate -s 1M vg $1
for i in $(seq 39); do lvcreate -an -Zn -l 1 -n v$i vg; done
lvcreate -l 16 -n root vg
fill root /dev/vg/root
`},
		{Name: "mirroredpool", Disks: []volumes.Disk{{MiB: 40}, {MiB: 40}}, Commands: `
vgcreate -s 1M vg $1 $2
lvcreate --type raid1 -m 1 -l 24 -n pool vg
lvcreate --type raid1 -m 1 -l 2 -n pmeta vg
synced vg-pool
synced vg-pmeta
lvconvert -y --type thin-pool --poolmetadata vg/pmeta vg/pool
lvcreate -V 64M -T vg/pool -n root
fill root /dev/vg/root
`},
		volumes.DebianRecipe("debiangpt", true),
	}
	for _, s := range segmentTypes {
		r := volumes.Recipe{Name: s.name, Commands: "vgcreate -s 1M vg $@\nlvcreate " + s.args + " -n root vg\nfill root /dev/vg/root\n"}
		if s.redundant {
			r.Commands += "synced vg-root\n"
		}
		for range s.disks {
			r.Disks = append(r.Disks, volumes.Disk{MiB: 24})
		}
		recipes = append(recipes, r)
	}
	return makeVolumes("soak", recipes)
})

// Root in a volume of each type of segment; lvm2 finds it whole afterwards.
func TestSoakVolumesSegments(t *testing.T) {
	for _, s := range segmentTypes {
		t.Run(s.name, func(t *testing.T) { soakVolume(t, s.name) })
	}
}

// Root in one of forty volumes of a group, of which no other is activated.
func TestSoakVolumesMany(t *testing.T) {
	m := soakVolume(t, "many")
	if strings.Contains(m, "dm-1") {
		t.Error("another volume was activated too")
	}
}

// Root in a thin volume whose pool is a mirror.
func TestSoakVolumesMirroredPool(t *testing.T) { soakVolume(t, "mirroredpool") }

// soakVolume boots from a recipe's disks, reads root back by lvm2, and returns the console.
func soakVolume(t *testing.T, recipe string) string {
	r := newVolumeRig(t, soakVolumes, recipe)
	r.oneTarget(r.group.Paths...)
	m := r.boot(volumeImage, "", "console=ttyS0 rw root=/dev/vg/root "+seedLine)
	r.expect(m, "guest: mount: /dev/mapper/vg-root / ext4 rw,")
	r.waitOff(m)
	d, err := r.group.Read(r.ctx, "vg/root", 20, filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(0); err != nil {
		t.Error(err)
	}
	return m.Output()
}

var debianGPT = debianLayout{recipe: "debiangpt", volumes: plainVolumes}

// Debian 12, 13 and sid without a fault, with the PV in a GPT, and Debian's newest kernel.
func TestSoakVolumesDebian(t *testing.T) {
	for _, tt := range []struct{ kind, kernel string }{{"lvm", "amd64"}, {"lvm", "amd64-6.12"}, {"lvm-trixie", "amd64"}, {"lvm-sid", "amd64"}} {
		t.Run(fmt.Sprint(tt.kind, "/", tt.kernel), func(t *testing.T) {
			d := newDebianVolumes(t, soakVolumes, debianGPT, tt.kind)
			target := d.tgtd()
			d.bootVolume(tt.kernel)
			d.checkVolumes()
			d.growRoot()
			d.leaveVolumes(target)
		})
	}
}

// The root of a machine that has no rules of udev for device-mapper: Debian without the package
// dmsetup on the same volumes.
func TestSoakVolumesWithoutDmsetup(t *testing.T) {
	d := newDebianVolumes(t, soakVolumes, debianGPT, "systemd")
	if err := d.disk.ReplaceFile(2, "/etc/fstab", "/dev/mapper/vg-root / ext4 errors=remount-ro 0 1\n"); err != nil {
		t.Fatal(err)
	}
	target := d.tgtd()
	d.bootVolume("amd64")
	for _, tt := range []struct{ command, want string }{
		{"readlink -f /dev/vg/root /dev/mapper/vg-root /dev/disk/by-uuid/$(findmnt -no UUID /) | uniq -c | xargs echo", "3 /dev/dm-0"},
		{`systemctl is-active 'dev-mapper-vg\x2droot.device'`, "active"},
	} {
		if got := d.run(tt.command); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.command, got, tt.want)
		}
	}
	d.leaveVolumes(target)
}
