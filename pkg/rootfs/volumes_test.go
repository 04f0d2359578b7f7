package rootfs

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// ext4 is a file system, and its UUID.
func ext4(t *testing.T) ([]byte, string) {
	t.Helper()
	const path = "../blockdev/testdata/ext4.sb"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fsys, err := blockdev.ProbeDevice(t.Context(), path)
	if err != nil || fsys.UUID == "" {
		t.Fatal(fsys, err)
	}
	return b, fsys.UUID
}

// A volume is found by each of its names, and by what is in it. No other one is activated.
func TestVolumeIsFound(t *testing.T) {
	sb, uuid := ext4(t)
	for root, want := range map[string]string{
		"root=/dev/vg/root":                        "vg-root",
		"root=/dev/mapper/vg-root":                 "vg-root",
		"root=/dev/mapper/vg-root rd.lvm=0":        "vg-root",
		"root=/dev/mapper/vg-root rd.lvm.vg=other": "vg-root",
		"root=/dev/vg/swap":                        "vg-swap",
		"root=UUID=" + uuid:                        "vg-root",
		"root=UUID=" + uuid + " rd.lvm.lv=vg/root": "vg-root",
		"root=UUID=" + uuid + " rd.lvm.lv=vg/swap": "",
		"root=UUID=" + uuid + " rd.lvm=0":          "",
		"root=LABEL=none":                          "",
		"root=/dev/vg/none":                        "",
	} {
		st, k := volumeDisks(t, "linear", root)
		k.write("sda", 2048, sb)
		got, err := k.find(st)
		if k.names() != want || (want == "") != absent(err) {
			t.Errorf("%s: activated are %q, %v, want %q", root, k.names(), err, want)
		}
		if want == "" {
			continue
		}
		if len(got) != 1 || got[0].Path() != "/dev/mapper/"+want || names(got[0].Disks()) != "sda" || got[0].Disks()[0].LUN == nil {
			t.Errorf("%s: %+v", root, got)
		}
		if link, err := os.Readlink(filepath.Join(k.paths.dev, "mapper", want)); err != nil || link != "../"+got[0].Name {
			t.Errorf("%s: link to %q, %v", root, link, err)
		}
		if again, err := k.find(st); err != nil || len(again) != 1 || again[0].Number != got[0].Number || k.names() != want {
			t.Errorf("%s: a second search: %+v, %v, activated %q", root, again, err, k.names())
		}
	}
}

// The message of a name that does not exist lists what there is.
func TestVolumesAreListed(t *testing.T) {
	st, k := volumeDisks(t, "linear", "root=/dev/vg/rot")
	_, err := k.find(st)
	var missing *notFoundError
	if !errors.As(err, &missing) || !strings.Contains(missing.Hint(), "vg/root (16 MiB), vg/swap (4 MiB)") {
		t.Errorf("%v, hint %q", err, missing.Hint())
	}
}

// A volume with members on several disks waits for all of them; one that can do without is
// activated without only when that is allowed.
func TestVolumeLacksDisks(t *testing.T) {
	for _, tt := range []struct {
		root     string
		disks    int // of six
		degraded bool
		want     string // the top device; "": it is absent
		text     string
	}{
		{"/dev/vg/r0", 6, false, "vg-r0", ""},
		{"/dev/vg/r0", 4, true, "", "logical volume vg/r0: physical volumes are missing: "},
		{"/dev/vg/r1", 6, false, "vg-r1", ""},
		{"/dev/vg/r1", 4, false, "", "logical volume vg/r1: physical volumes are missing: "},
		{"/dev/vg/r1", 4, true, "vg-r1", ""},
		{"/dev/vg/r5", 6, false, "vg-r5", ""},
	} {
		st, k := volumeDisks(t, "raid", "root="+tt.root)
		st.disks, st.degraded = st.disks[:tt.disks], tt.degraded
		got, err := k.find(st)
		if tt.want == "" {
			if a := absenceOf(err); a == nil || (len(degradables(err)) > 0) != (tt.root == "/dev/vg/r1") || !strings.Contains(err.Error(), tt.text) || k.names() != "" {
				t.Errorf("%+v: %v, activated %q", tt, err, k.names())
			}
			continue
		}
		if err != nil || len(got) != 1 || got[0].Map != tt.want {
			t.Errorf("%+v: %+v, %v", tt, got, err)
		}
	}
}

// Modules are loaded for what is activated, in the order of the devices.
func TestVolumeModules(t *testing.T) {
	st, k := volumeDisks(t, "raid", "root=/dev/vg/r1")
	if _, err := k.find(st); err != nil || strings.Join(k.loaded, " ") != "dm_mod dm_raid raid1" {
		t.Errorf("%v, loaded %q", err, k.loaded)
	}
	for lacks, hint := range map[string]string{"dm_mod": "build the image with --storage lvm", "raid1": "build the image with --storage lvm-raid"} {
		st, k := volumeDisks(t, "raid", "root=/dev/vg/r1")
		k.lacks = lacks
		_, err := k.find(st)
		var missing *notFoundError
		if !errors.As(err, &missing) || missing.Hint() != hint || !strings.Contains(err.Error(), "module "+lacks+": not in the image") || k.names() != "" {
			t.Errorf("without %s: %v, hint %q, left %q", lacks, err, missing.Hint(), k.names())
		}
	}
}

// Of two disks with the same physical volume neither is used.
func TestVolumeIsThereTwice(t *testing.T) {
	st, k := volumeDisks(t, "linear", "root=/dev/vg/root")
	k.disk("sdb", 1, "../lvm/testdata/linear/254-0.gz")
	st.disks = append(st.disks, ourDisk("sdb", 0, 2))
	if _, err := k.find(st); !absent(err) || !strings.Contains(err.Error(), "is on sda and on sdb") || k.names() != "" {
		t.Errorf("%v, activated %q", err, k.names())
	}
}

// What cannot be activated is named, and hides nothing else.
func TestVolumeIsRefused(t *testing.T) {
	st, k := volumeDisks(t, "refused", "root=/dev/vg/cached")
	_, err := k.find(st)
	if !absent(err) || !strings.Contains(err.Error(), "not supported") || k.names() != "" {
		t.Errorf("%v, activated %q", err, k.names())
	}
}

// A group of another host is refused with what to do, and used where the host is this one.
func TestVolumeOfAnotherHost(t *testing.T) {
	sb, uuid := ext4(t)
	for _, root := range []string{"root=/dev/vg/root", "root=UUID=" + uuid, "root=UUID=" + uuid + " rd.lvm.system_id=mine"} {
		st, k := volumeDisks(t, "systemid", root)
		k.write("sda", 2048, sb)
		_, err := k.find(st)
		var missing *notFoundError
		if !errors.As(err, &missing) || missing.Hint() != "if it is the id of this machine, write rd.lvm.system_id=other" ||
			!strings.Contains(err.Error(), `volume group vg: not supported: it belongs to the host with the system id "other"`) || k.names() != "" {
			t.Errorf("%s: %v, activated %q", root, err, k.names())
		}
		st, k = volumeDisks(t, "systemid", root+" rd.lvm.system_id=other")
		k.write("sda", 2048, sb)
		if _, err := k.find(st); err != nil || k.names() != "vg-root" {
			t.Errorf("%s: %v, activated %q", root, err, k.names())
		}
	}
}

// A device that could not be made leaves nothing; one that is left from before is used or replaced.
func TestVolumeActivation(t *testing.T) {
	st, k := volumeDisks(t, "raid", "root=/dev/vg/r1")
	k.refuse = "vg-r1"
	if _, err := k.find(st); !absent(err) || !strings.Contains(err.Error(), "load dm device vg-r1: ") || k.names() != "" {
		t.Errorf("%v, left %q", err, k.names())
	}
	k.refuse = ""
	k.made["vg-r1"] = dm.Info{Name: "vg-r1", UUID: "LVM-old", Number: table.Number{Major: 253, Minor: 99}}
	if got, err := k.find(st); err != nil || len(got) != 1 || got[0].Number.Minor == 99 {
		t.Errorf("%v, %v", names(got), err)
	}
}

// Only the kernel can read a thin volume: it is activated if nothing else has the name, and
// deactivated if it does not have it either.
func TestThinVolume(t *testing.T) {
	st, k := volumeDisks(t, "thin", "root=/dev/vg/root")
	k.status = "9 1/512 2/256 - rw discard_passdown queue_if_no_space - 1024"
	if _, err := k.find(st); !absent(err) || !strings.Contains(err.Error(), "the kernel has transaction 9") || k.names() != "" {
		t.Errorf("%v, left %q", err, k.names())
	}
	k.status = transaction(t, k) + " 1/512 2/256 - rw discard_passdown queue_if_no_space - 1024"
	if got, err := k.find(st); err != nil || len(got) != 1 || got[0].Map != "vg-root" || k.names() != "vg-pool-tpool vg-pool_tdata vg-pool_tmeta vg-root" {
		t.Fatalf("%v, activated %q", err, k.names())
	}
	if said := strings.Count(strings.Join(st.Log.(*steptest.Recorder).All(), "\n"), "thin_check was not run"); said != 1 {
		t.Errorf("%d warnings of thin_check", said)
	}
	st.Spec.Root.Device.V.Text = "none"
	k.busy = "vg-root"
	st.DeactivateUnused(t.Context())
	if k.names() != "vg-pool-tpool vg-pool_tdata vg-pool_tmeta vg-root" || len(madeVolumes(st)) != 4 {
		t.Errorf("in use, and left is %q, for udev %v", k.names(), madeVolumes(st))
	}
	k.busy = ""
	st.DeactivateUnused(t.Context())
	if k.names() != "" || len(madeVolumes(st)) > 0 {
		t.Errorf("not in use, and left is %q, for udev %v", k.names(), madeVolumes(st))
	}
}

// A search by contents activates each thin volume, one after the other, and leaves none that does
// not have them. Snapshots, which lvm2 does not activate by itself, are left out: they have the
// UUID of their origin, and older contents.
func TestThinVolumeByContents(t *testing.T) {
	sb, uuid := ext4(t)
	for root, want := range map[string]string{"root=LABEL=none": "", "root=UUID=" + uuid: "vg-pool-tpool vg-pool_tdata vg-pool_tmeta vg-root"} {
		st, k := volumeDisks(t, "thin", root)
		k.status = transaction(t, k) + " 1/512 2/256 - rw discard_passdown queue_if_no_space - 1024"
		k.thin = map[string]string{"vg-root": string(sb), "vg-snap": string(sb)}
		_, err := k.find(st)
		if (err == nil) != (want != "") || k.names() != want {
			t.Errorf("%s: %v, activated %q, want %q", root, err, k.names(), want)
		}
	}
}

// Without a name each volume with a file system is activated in turn, those first to which the
// kernel writes nothing, and deactivated if it holds no init.
func TestVolumesInTurn(t *testing.T) {
	sb, _ := ext4(t)
	st, k := volumeDisks(t, "linear", "")
	for _, sector := range []int64{2048, 18432} {
		k.write("sda", sector, sb)
	}
	k.last = map[string]int{}
	err := st.lookOn(t.Context(), k.paths, st.disks)
	if !absent(err) || k.names() != "" || k.last["vg-root"] != 1 || k.last["vg-swap"] != 1 {
		t.Errorf("%v, left %q, at most %v at a time", err, k.names(), k.last)
	}
}

// Two groups of one name: a volume of that name could be of either, and is refused; one that only
// one of them has is used.
func TestTwoGroupsOfOneName(t *testing.T) {
	for root, want := range map[string]string{"root=/dev/vg/root": "", "root=/dev/vg/swap": "vg-swap"} {
		st, k := volumeDisks(t, "linear", root)
		k.disk("sdb", 1, "../lvm/testdata/degraded/254-0.gz")
		st.disks = append(st.disks, ourDisk("sdb", 0, 2))
		_, err := k.find(st)
		if k.names() != want || want == "" && !strings.Contains(err.Error(), "volume group vg: two have this name") {
			t.Errorf("%s: %v, activated %q, want %q", root, err, k.names(), want)
		}
	}
}

// On disks that are write-protected all devices of a volume are read-only.
func TestVolumeOnReadOnlyDisks(t *testing.T) {
	st, k := volumeDisks(t, "raid", "root=/dev/vg/r1")
	for _, d := range st.disks {
		writeFiles(t, map[string]string{filepath.Join(k.paths.sys, "class/block", d.Name, "ro"): "1\n"})
	}
	if _, err := k.find(st); err != nil || len(k.made) == 0 {
		t.Fatal(err)
	}
	for name, info := range k.made {
		if !info.ReadOnly {
			t.Errorf("%s can be written to", name)
		}
	}
}

// A thin volume can be written to although its external origin cannot: the kernel only reads that.
func TestThinVolumeOfReadOnlyOrigin(t *testing.T) {
	st, k := volumeDisks(t, "thin", "root=/dev/vg/ext")
	k.status = transaction(t, k) + " 1/512 2/256 - rw discard_passdown queue_if_no_space - 1024"
	if _, err := k.find(st); err != nil {
		t.Fatal(err)
	}
	if root, origin := k.made["vg-ext"], k.made["vg-base-real"]; root.Name == "" || root.ReadOnly || !origin.ReadOnly {
		t.Errorf("%+v on %+v", root, origin)
	}
}

// What is left of an old volume is removed from the top, also if its parts are below others.
func TestOldVolumeIsReplaced(t *testing.T) {
	st, k := volumeDisks(t, "raid", "root=/dev/vg/r1")
	if _, err := k.find(st); err != nil {
		t.Fatal(err)
	}
	before := k.names()
	for name, tab := range k.tables { // of disks that have other numbers now
		for i, l := range tab {
			if linear, ok := l.Target.(table.Linear); ok {
				linear.Offset++
				tab[i].Target = linear
			}
		}
		k.tables[name] = tab
	}
	if got, err := k.find(st); err != nil || len(got) != 1 || k.names() != before {
		t.Errorf("%v, %v, activated %q, want %q", names(got), err, k.names(), before)
	}
}

// The label on a member of an md array is not the disk's: the array may have others.
func TestVolumeBelowAnArray(t *testing.T) {
	st, k := volumeDisks(t, "linear", "root=/dev/vg/root")
	md := make([]byte, 256) // mdp_superblock_1, version 1.0: 8 KiB before the end
	binary.LittleEndian.PutUint32(md, 0xa92b4efc)
	binary.LittleEndian.PutUint32(md[4:], 1)
	const sectors = 64 << 20 / 512
	binary.LittleEndian.PutUint64(md[144:], sectors-16)
	k.write("sda", sectors-16, md)
	if _, err := k.find(st); !absent(err) || !strings.Contains(err.Error(), "sda: md superblock 1.0: wrong checksum") || k.names() != "" {
		t.Errorf("%v, activated %q", err, k.names())
	}
}

// transaction is that of the pool in the metadata.
func transaction(t *testing.T, k *fakeKernel) string {
	t.Helper()
	f, err := os.Open(filepath.Join(k.paths.dev, "sda"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	pv, err := lvm.ReadPV(f, 64<<20)
	if err != nil || len(pv.Copies) == 0 {
		t.Fatal(pv, err)
	}
	pool, ok := pv.Copies[0].VG.LV("pool")
	if !ok {
		t.Fatal("no pool")
	}
	n := pool.Segments[0].Type.(*lvm.ThinPool).TransactionID
	return string(rune('0' + n))
}
