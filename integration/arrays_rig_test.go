package integration

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
)

// arrayImage has the modules that root on arrays and volumes may need.
var arrayImage = image{nics: "virtio_net", stack: "md,lvm,lvm-raid"}

// withMdadm is a root with the program mdadm.
func withMdadm(script string) (images.Tree, error) {
	tree, err := volumes.Mdadm()
	if err == nil {
		maps.Copy(tree, root(script))
	}
	return tree, err
}

// makeArrays makes a set of arrays, or finds it in the cache. Its contents are root, which shows
// its arrays, and load, which writes before.
func makeArrays(name string, recipes []volumes.Recipe) (*volumes.Made, error) {
	plain, err := withMdadm("arrays")
	if err != nil {
		return nil, err
	}
	load, err := withMdadm("faults arrays down")
	if err != nil {
		return nil, err
	}
	return makeSet(name, recipes, map[string]images.Filesystem{
		"root": {MiB: 16, Label: "root", UUID: volumeRoot, Tree: plain},
		"load": {MiB: 48, Label: "root", UUID: volumeRoot, Tree: load},
	})
}

// testArrays are the arrays that make test needs.
var testArrays = sync.OnceValues(func() (*volumes.Made, error) {
	return makeArrays("arrays", []volumes.Recipe{
		{Name: "stripes", Disks: []volumes.Disk{{MiB: 16}, {MiB: 16}}, Commands: `
array stripes --level=0 --raid-devices=2 --chunk=16 $1 $2
vgcreate -s 1M vg /dev/md/stripes
lvcreate -l 16 -n root vg
fill root /dev/vg/root
`},
		{Name: "mirror", Disks: []volumes.Disk{{MiB: 64}, {MiB: 64}}, Commands: `
array root --level=1 --raid-devices=2 --bitmap=internal --bitmap-chunk=256K $1 $2
fill load /dev/md/root
`},
		{Name: "mirrorlv", Disks: []volumes.Disk{{MiB: 64}, {MiB: 64}}, Commands: `
vgcreate -s 1M vg $1 $2
lvcreate --type raid1 -m 1 -l 48 -n root vg
fill load /dev/vg/root
synced vg-root
`},
	})
})

// mirrorRig is a machine whose root is a mirror of the LUNs of two targets.
type mirrorRig struct {
	*faultRig
	group  *volumes.Group
	second *targets.Tgtd
	device string // what the kernel calls root
}

// newMirrorRig makes the rig of the recipe mirror, an array, or mirrorlv, a volume.
func newMirrorRig(t *testing.T, recipe string) *mirrorRig {
	t.Helper()
	v := newVolumeRig(t, testArrays, recipe)
	r := &mirrorRig{faultRig: &faultRig{rig: v.rig}, group: v.group, device: "md"}
	if recipe != "mirror" {
		r.device = "dm-"
	}
	r.target = r.oneTarget(r.group.Paths[0])
	return r
}

// startSecondLeg starts the target with the second half.
func (r *mirrorRig) startSecondLeg() {
	r.t.Helper()
	r.second = r.startSecond(r.group.Paths[1])
}

// mirrorLine is the command line for root on the mirror. A leg that is away is given up after three
// seconds.
const mirrorLine = twoTargetsLine + "ip=10.77.0.2:::255.255.255.0::eth0:none rw iscsi_mirror_tmo=3 iscsi_nop_interval=2 iscsi_nop_timeout=3"

// waitArray waits until the guest shows the array with all of the texts.
func (r *mirrorRig) waitArray(texts ...string) {
	r.t.Helper()
	r.waitShown("arrays", texts...)
}

// goDown ends the guest's load and shuts the machine down.
func (r *mirrorRig) goDown() {
	r.t.Helper()
	r.typeLine("end")
	r.expect(r.m, "guest: loaded ", "guest: ready to go down")
	r.typeLine("")
	exit, err := r.m.Wait(r.ctx)
	if err != nil || exit.Reason != "guest-shutdown" {
		r.t.Fatalf("machine ended with %+v, %v", exit, err)
	}
	if n := strings.Count(r.m.Output(), ": logged out"); n != 2 {
		r.t.Errorf("%d sessions logged out, want 2", n)
	}
	r.checkNotShown(r.m, "no end after")
	r.loggedOut(r.target)
	r.loggedOut(r.second)
}

// checkMirror checks that both halves are the same and have what the guest has written, that an
// array is clean, and that the guest has seen no error.
func (r *mirrorRig) checkMirror() {
	r.t.Helper()
	r.checkNotShown(r.m, "I/O error, dev "+r.device, "EXT4-fs error", "EXT4-fs warning", "Buffer I/O error on dev "+r.device, "blocked for more than")
	halves := r.halves()
	first := readRange(r.t, r.group.Paths[halves[0].Disk], halves[0].Offset, halves[0].Size)
	second := readRange(r.t, r.group.Paths[halves[1].Disk], halves[1].Offset, halves[1].Size)
	if !bytes.Equal(first, second) {
		r.t.Errorf("the halves differ from byte %d on", firstDifference(first, second))
	}
	for _, h := range halves {
		r.disk = images.OpenDisk(r.group.Paths[h.Disk], h.Offset, h.Offset)
		checkSums(r.rig, -1)
	}
	if r.device != "md" {
		return
	}
	heads := []memberHead{readMemberHead(r.t, r.group.Paths[0], 4096), readMemberHead(r.t, r.group.Paths[1], 4096)}
	if heads[0] != heads[1] || !heads[0].clean {
		r.t.Errorf("superblocks of the halves: %+v, want them the same, and clean", heads)
	}
}

// halves are the two places of the mirror's content.
func (r *mirrorRig) halves() []volumes.Piece {
	r.t.Helper()
	if r.device == "md" {
		halves, err := r.group.Members("root")
		if err != nil || len(halves) != 2 {
			r.t.Fatalf("members %+v, %v", halves, err)
		}
		return halves
	}
	var halves []volumes.Piece
	for _, name := range []string{"vg-root_rimage_0", "vg-root_rimage_1"} {
		p, err := r.group.Piece(name)
		if err != nil {
			r.t.Fatal(err)
		}
		halves = append(halves, p)
	}
	return halves
}

// checkNoFullResync checks that of the array's members as they are now none was written to as a
// whole.
func (r *mirrorRig) checkNoFullResync() {
	r.t.Helper()
	shown := r.m.Output()
	lines := memberLines.FindAllStringSubmatch(shown[strings.LastIndex(shown, "guest: array "):], -1)
	if len(lines) != 2 {
		r.t.Errorf("%d members are shown, want 2", len(lines))
	}
	for _, l := range lines {
		sectors, err := strconv.Atoi(l[2])
		if err != nil || sectors > 32<<20/512 {
			r.t.Errorf("%s sectors were written to %s, %v: more than half of it", l[2], l[1], err)
		}
	}
}

var memberLines = regexp.MustCompile(`guest: member ([\w-]+) of \w+ .* written=(\d+)`)

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

// memberHead is what of a superblock is the same in all members of an array that was stopped.
type memberHead struct {
	set    string // the array's UUID as mdadm prints it
	events uint64
	clean  bool
}

// readMemberHead reads the superblock at an offset in bytes (include/uapi/linux/raid/md_p.h: struct
// mdp_superblock_1).
func readMemberHead(t testing.TB, path string, at int64) memberHead {
	t.Helper()
	b := readRange(t, path, at, 256)
	if binary.LittleEndian.Uint32(b) != 0xa92b4efc {
		t.Fatalf("%s has no superblock of md", path)
	}
	return memberHead{
		set:    fmt.Sprintf("%x:%x:%x:%x", b[16:20], b[20:24], b[24:28], b[28:32]),
		events: binary.LittleEndian.Uint64(b[200:]),
		clean:  binary.LittleEndian.Uint64(b[208:]) == 1<<64-1,
	}
}

func readRange(t testing.TB, path string, at, size int64) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, size)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	return b
}

// checkDetail checks what mdadm shows of the only array, and that it knows it by the name and the
// UUID of its superblock.
func (r *rig) checkDetail(m *lab.Machine, path, name, level string) {
	r.t.Helper()
	set := readMemberHead(r.t, path, 4096).set
	r.checkShown(m, "guest: mdadm: Raid Level : "+level, "guest: mdadm: UUID : "+set,
		"guest: mdadm: ARRAY /dev/md/"+name+" metadata=1.2 name=diskless:"+name+" UUID="+set)
}
