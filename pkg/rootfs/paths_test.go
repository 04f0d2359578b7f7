package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// pathKernel is a fakeKernel with what maps need beside.
type pathKernel struct {
	*fakeKernel
	next table.Table
	said []string // messages to maps
}

func (k *pathKernel) Activate(name, uuid string, t table.Table, u dm.Udev, o dm.Option) (dm.Info, error) {
	if m, ok := t[0].Target.(*table.Multipath); ok {
		b, err := os.ReadFile(filepath.Join(k.paths.dev, k.device(m.Groups[0].Paths[0].String())))
		if err != nil {
			k.t.Fatal(err)
		}
		if k.thin == nil {
			k.thin = map[string]string{}
		}
		k.thin[name] = string(b)
	}
	info, err := k.fakeKernel.Activate(name, uuid, t, u, o)
	if err == nil {
		info.Active = true
		k.made[name] = info
		dir := filepath.Join(k.paths.sys, "class/block", fmt.Sprintf("dm-%d", info.Number.Minor))
		writeFiles(k.t, map[string]string{filepath.Join(dir, "dm/uuid"): uuid + "\n"})
		k.below(dir, t)
	}
	return info, err
}

// below makes the links from a device to those below it, and back.
func (k *pathKernel) below(dir string, t table.Table) {
	for _, word := range strings.Fields(t.String()) {
		if major, _, ok := strings.Cut(word, ":"); ok && major != "" {
			for _, link := range []string{filepath.Join(dir, "slaves", k.device(word)), filepath.Join(k.paths.sys, "class/block", k.device(word), "holders", filepath.Base(dir))} {
				if err := os.MkdirAll(link, 0o755); err != nil {
					k.t.Fatal(err)
				}
			}
		}
	}
}

func (k *pathKernel) Load(_ string, t table.Table, _ dm.Option) error {
	k.next = t
	return nil
}

func (k *pathKernel) Exchange(changes []dm.Change) error {
	name := changes[0].Name
	k.tables[name] = k.next
	k.below(filepath.Join(k.paths.sys, "class/block", fmt.Sprintf("dm-%d", k.made[name].Number.Minor)), k.next)
	return nil
}

func (k *pathKernel) List() ([]dm.Entry, error) { return nil, nil }

func (k *pathKernel) Message(_ string, _ uint64, text string) (string, error) {
	k.said = append(k.said, text)
	return "", nil
}

func (k *pathKernel) Table(name string) (table.Table, error) {
	var out table.Table
	for _, l := range k.tables[name] {
		target, err := table.Parse(l.Target.Type(), l.Target.Params())
		if err != nil {
			return nil, err
		}
		out = append(out, table.Line{Start: l.Start, Length: l.Length, Target: target})
	}
	return out, nil
}

func (k *pathKernel) Status(name string) ([]dm.Status, error) {
	m := k.tables[name][0].Target.(*table.Multipath)
	text := fmt.Sprintf("2 0 0 0 %d 1", len(m.Groups))
	for _, g := range m.Groups {
		text += fmt.Sprintf(" A 0 %d 2", len(g.Paths))
		for _, p := range g.Paths {
			text += " " + p.String() + " A 0 0 1"
		}
	}
	return []dm.Status{{Text: text}}, nil
}

// Text forms of a page 0x83 with an NAA name, and the WWID of it.
const (
	pathPage = "\x00\x83\x00\x14\x01\x03\x00\x10\x60\x01\x40\x5f\x00\x00\x00\x01\x60\x01\x40\x5f\x00\x00\x00\x01"
	pathID   = "36001405f000000016001405f00000001"
)

// twoPaths is a Storage with two disks that are copies of each other, as two paths to one LUN of
// LVM's show it. The targets have one name if they are paths.
func twoPaths(t *testing.T, paths bool) (*Storage, *pathKernel, []sessionLUN) {
	t.Helper()
	st, k := volumeDisks(t, "linear", "root=/dev/vg/root")
	if st.Log.(*steptest.Recorder) == nil || len(st.disks) != 1 {
		t.Fatal(names(st.disks))
	}
	file, err := filepath.Glob("../lvm/testdata/linear/*.gz")
	if err != nil {
		t.Fatal(err)
	}
	k.disk("sdb", 1, file[0])
	pk := &pathKernel{fakeKernel: k}
	st.Sessions = &fakeSessions{list: someSessions(2)}
	st.Spec.Targets = make([]bootspec.Target, 2)
	st.disks = nil
	st.maps = &maps.Maps{Sys: k.paths.sys, Dev: k.paths.dev, Load: k.Load, Open: func() (maps.Mapper, error) { return pk, nil }}
	var found []sessionLUN
	for i, disk := range []string{"sda", "sdb"} {
		if paths {
			st.Spec.Targets[i].Multipath = bootspec.Value[bool]{V: true, From: "iscsi_multipath="}
		}
		number := fmt.Sprintf("8:%d", 16*i)
		dir := filepath.Join(k.paths.sys, "class/block", disk)
		writeFiles(t, map[string]string{filepath.Join(dir, "device/vpd_pg83"): pathPage, filepath.Join(dir, "device/vendor"): "LIO-ORG \n"})
		if err := errors.Join(os.MkdirAll(filepath.Join(k.paths.sys, "dev/block"), 0o755), os.Symlink("../../class/block/"+disk, filepath.Join(k.paths.sys, "dev/block", number))); err != nil {
			t.Fatal(err)
		}
		found = append(found, sessionLUN{i, *ourDisk(disk, i, 1).LUN})
	}
	return st, pk, found
}

// checkMapped checks that a map of both disks is all there is, and has the volume.
func checkMapped(t *testing.T, st *Storage, k *pathKernel) {
	t.Helper()
	if got := names(st.allDisks()); got != "dm-0" || st.allDisks()[0].Map != pathID || len(st.lunsOf(st.allDisks()[0])) != 2 {
		t.Fatalf("the disks are %s: %+v", got, st.allDisks())
	}
	if got, want := k.tables[pathID].String(), "0 131072 multipath 1 queue_if_no_path 0 1 1 service-time 0 2 2 8:0 1 1 8:16 1 1\n"; got != want {
		t.Errorf("the table is %s", got)
	}
	got, err := k.find(st)
	if err != nil || len(got) != 1 || got[0].Map != "vg-root" || !got[0].On("sda") || !got[0].On("sdb") {
		t.Errorf("root is %v, %v", got, err)
	}
	if text := k.tables["vg-root"].String(); !strings.Contains(text, " linear 253:0 ") || strings.Contains(text, " 8:") {
		t.Errorf("the volume has the table %s", text)
	}
}

// Disks of one LUN are a map, which alone is read: of sessions that are to be paths, and of several
// targets. A map of one path gets the other one when it comes; a disk that is there alone becomes
// the map.
func TestPathsAreMapped(t *testing.T) {
	for _, paths := range []bool{true, false} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("paths %v, late %v", paths, late), func(t *testing.T) {
				st, k, found := twoPaths(t, paths)
				if late {
					st.disks = st.use(t.Context(), found[:1])
					if got := names(st.disks); (got == "dm-0") != paths {
						t.Errorf("the first disk is %s", got)
					}
					found = found[1:]
				}
				st.disks = append(st.disks, st.use(t.Context(), found)...)
				checkMapped(t, st, k)
				if got := (diskSessions{st}).SessionsOf("dm-0"); !slices.Equal(got, []int{0, 1}) {
					t.Errorf("the sessions are %v", got)
				}
				if !st.known(blockdev.LUN{Disk: "sdb"}) {
					t.Error("sdb is new")
				}
			})
		}
	}
}

// Where no map can be made one of the disks is used, and the other is in no list.
func TestPathsWithoutMap(t *testing.T) {
	st, k, found := twoPaths(t, true)
	k.refuse, k.lacks = pathID, "dm_multipath"
	st.disks = st.use(t.Context(), found)
	if got := names(st.disks); got != "sda" || !st.known(found[1].LUN) {
		t.Errorf("the disks are %s", got)
	}
	if got := st.Sessions.(*fakeSessions).asDisk; !slices.Equal(got, []int{0}) {
		t.Errorf("sessions %v have the timers of a disk", got)
	}
	if log := strings.Join(st.Log.(*steptest.Recorder).Lines(), "\n"); !strings.Contains(log, "build the image with --storage multipath): using sda without multipath") {
		t.Error(log)
	}
	st.disks = append(st.disks, st.use(t.Context(), found[:0])...)
	if got, err := k.find(st); err != nil || len(got) != 1 || got[0].On("sdb") {
		t.Errorf("root is %v, %v", got, err)
	}
}

// A disk whose facts cannot be read is being removed: it is in no list, and is new if it comes
// back.
func TestPathsOfRemovedDisk(t *testing.T) {
	st, k, found := twoPaths(t, true)
	if err := os.RemoveAll(filepath.Join(k.paths.sys, "class/block/sda")); err != nil {
		t.Fatal(err)
	}
	if got := names(st.use(t.Context(), found)); got != "dm-0" || st.known(found[0].LUN) {
		t.Errorf("the disks are %s, of %v", got, st.places)
	}
}

// The log has why a LUN gets no map.
func TestPathsOfNoSize(t *testing.T) {
	st, k, found := twoPaths(t, true)
	writeFiles(t, map[string]string{filepath.Join(k.paths.sys, "class/block/sda/size"): "0\n"})
	if got := names(st.use(t.Context(), found[:1])); got != "sda" {
		t.Errorf("the disks are %s", got)
	}
	if log := strings.Join(st.Log.(*steptest.Recorder).Lines(), "\n"); !strings.Contains(log, "lun 1 of iqn.x:0 has a size of 0: using sda without multipath") {
		t.Error(log)
	}
}

// Disks are not joined where that is switched off, or their WWID does not tell that they are one
// LUN: which is logged.
func TestPathsNotJoined(t *testing.T) {
	st, _, found := twoPaths(t, false)
	st.Spec.Multipath.On = bootspec.Value[bool]{From: "nompath"}
	if got := names(st.use(t.Context(), found)); got != "sda sdb" {
		t.Errorf("switched off: %s", got)
	}
	st, k, found := twoPaths(t, false)
	for _, disk := range []string{"sda", "sdb"} {
		writeFiles(t, map[string]string{filepath.Join(k.paths.sys, "class/block", disk, "device/vendor"): "IET     \n"})
	}
	if got := names(st.use(t.Context(), found)); got != "sda sdb" {
		t.Errorf("of vendor IET: %s", got)
	}
	if log := strings.Join(st.Log.(*steptest.Recorder).Lines(), "\n"); !strings.Contains(log, "WWIDs of vendor IET are not unique") {
		t.Error(log)
	}
	st, k, found = twoPaths(t, false)
	for _, disk := range []string{"sda", "sdb"} {
		writeFiles(t, map[string]string{filepath.Join(k.paths.sys, "class/block", disk, "device/vendor"): "IET     \n"})
	}
	st.Spec.Multipath.IDs = []bootspec.Value[string]{{V: pathID, From: "iscsi_multipath="}}
	if got := names(st.use(t.Context(), found)); got != "dm-0" {
		t.Errorf("of vendor IET, with the WWID given: %s", got)
	}
}

// A disk whose session does not have the timers of a path yet is left to the keeper of the maps.
func TestPathJoinsLater(t *testing.T) {
	for _, later := range []error{errors.New("down"), nil} {
		st, k, found := twoPaths(t, true)
		st.disks = st.use(t.Context(), found[:1])
		st.Sessions.(*fakeSessions).pathErr = later
		if units := st.use(t.Context(), found[1:]); len(units) > 0 {
			t.Errorf("%v: found %s", later, names(units))
		}
		if d, err := blockdev.Read(k.paths.sys, "dm-0"); err != nil || len(d.Parents) != 2 && later == nil || len(d.Parents) != 1 && later != nil {
			t.Errorf("%v: %+v, %v", later, d, err)
		}
	}
}

// A path that is still tried does not hide the number of its target's disks; another target does.
func TestCountedPaths(t *testing.T) {
	for _, paths := range []bool{true, false} {
		st, _, found := twoPaths(t, paths)
		st.Sessions = &fakeSessions{list: someSessions(2), states: []state{pending}}
		st.disks = st.use(t.Context(), found[1:])
		if got := len(st.counted(false)) == 1; got != paths {
			t.Errorf("paths %v: %v", paths, names(st.counted(false)))
		}
		want := bootspec.Device{By: bootspec.BySession}
		if got := st.is(st.disks[0], 3, want); got != paths {
			t.Errorf("paths %v: is a disk of the first target: %v", paths, got)
		}
	}
}

// A target that a path reaches is not waited for, also if another path is dead: arrays are started
// with the members that are there, and a device that is absent is missing at once. A target without
// a path is waited for.
func TestWaitingOfPaths(t *testing.T) {
	for _, paths := range []bool{true, false} {
		st, _, _ := twoPaths(t, paths)
		st.Sessions = &fakeSessions{list: someSessions(2), states: []state{up, pending}, waiting: []int{1}}
		if got := len(st.waiting()) == 0; got != paths {
			t.Errorf("paths %v: waits for %v", paths, st.waiting())
		}
		if got := st.wantsFor(bootspec.Device{By: bootspec.ByArray}).arrays.Complete; got != paths {
			t.Errorf("paths %v: all members are there: %v", paths, got)
		}
		if !paths {
			continue
		}
		searches := 0
		absence := &notFoundError{}
		if err := st.whileTargetsCome(t.Context(), false, func() error { searches++; return absence }); !errors.Is(err, absence) || searches != 1 {
			t.Errorf("%d searches, %v", searches, err)
		}
	}
}

// The maps are removed before their sessions end, with what stands on them, those also that an
// earlier search has made. I/O on one in use does not wait without a limit.
func TestRemoveMaps(t *testing.T) {
	st, k, found := twoPaths(t, true)
	st.disks = st.use(t.Context(), found)
	if _, err := k.find(st); err != nil {
		t.Fatal(err)
	}
	st.disks, st.places = nil, nil // another search has found nothing
	k.busy = pathID
	st.RemoveMaps(t.Context())
	if got := k.names(); got != pathID || k.said[len(k.said)-1] != "fail_if_no_path" {
		t.Errorf("what stays is %s, %q", got, k.said)
	}
	k.busy = ""
	st.RemoveMaps(t.Context())
	if got := k.names(); got != "" || len(st.Maps().Made()) > 0 {
		t.Errorf("what stays is %s", got)
	}
}
