package mirrors

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
)

// arrays is a raid1, md0, that runs on sda1 alone. Its other member is on sdb1.
type arrays struct {
	t       *testing.T
	sys     string
	state   array.State
	calls   []string
	reAdd   error
	add     error
	super   map[string]md.Superblock
	log     []string
	disks   []*blockdev.Device
	members *Members
}

// set is the array's UUID.
var set = md.UUID{1, 2, 3}

func newArrays(t *testing.T) *arrays {
	t.Helper()
	a := &arrays{t: t, sys: t.TempDir()}
	for i, disk := range []string{"sda", "sdb"} {
		session := fmt.Sprintf("devices/host%d/session%d", i+1, i+1)
		place := fmt.Sprintf("%s/target%d:0:0/%d:0:0:0/block/%s", session, i+1, i+1, disk)
		a.write(filepath.Join(filepath.Dir(filepath.Dir(place)), "type"), "0\n")
		a.link(session, fmt.Sprintf("class/iscsi_session/session%d/device", i+1))
		for n, part := range []string{"", "/" + disk + "1"} {
			a.write(place+part+"/dev", fmt.Sprintf("8:%d\n", 16*i+n))
			a.write(place+part+"/size", "4096\n")
			a.link(place+part, "class/block/"+filepath.Base(place+part))
		}
		a.write(place+"/"+disk+"1/partition", "1\n")
	}
	a.write("class/block/sda/sda1/holders/md0", "")
	a.state = array.State{Level: "raid1", Disks: 2, Degraded: 1, Members: []array.MemberState{{Device: "sda1", Number: array.Number{Major: 8, Minor: 1}, Slot: 0, Flags: []string{"in_sync"}}}}
	a.super = map[string]md.Superblock{
		"sda1": {Set: set, Number: 0, Roles: []uint16{0, md.RoleFaulty}, Events: 20},
		"sdb1": {Set: set, Number: 1, Roles: []uint16{0, 1}, Events: 10},
	}
	a.members = &Members{Arrays: a, Sys: a.sys, Read: a.read, Log: a}
	for _, name := range []string{"sda", "sdb"} {
		d, err := blockdev.Read(a.sys, name)
		if err != nil {
			t.Fatal(err)
		}
		a.disks = append(a.disks, d)
	}
	return a
}

func (a *arrays) write(name, text string) {
	a.t.Helper()
	path := filepath.Join(a.sys, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		a.t.Fatal(err)
	}
}

func (a *arrays) link(to, name string) {
	a.t.Helper()
	path := filepath.Join(a.sys, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(filepath.Join(a.sys, to), path)); err != nil {
		a.t.Fatal(err)
	}
}

// copy puts sdb1's superblock on sdb too, with another id of the device.
func (a *arrays) copy(id byte) {
	sb := a.super["sdb1"]
	sb.Device[0] += id
	a.super["sdb"] = sb
}

// volume moves the superblock of sdb1 to a volume on it, which something holds.
func (a *arrays) volume(suspended, holder string, failed bool) {
	a.super["dm-3"] = a.super["sdb1"]
	delete(a.super, "sdb1")
	a.write("devices/virtual/block/dm-3/dev", "252:3\n")
	a.write("devices/virtual/block/dm-3/size", "4096\n")
	a.write("devices/virtual/block/dm-3/dm/name", "two-leg\n")
	a.write("devices/virtual/block/dm-3/dm/suspended", suspended+"\n")
	a.link("devices/virtual/block/dm-3", "class/block/dm-3")
	a.link("class/block/sdb1", "class/block/dm-3/slaves/sdb1")
	a.link("class/block/dm-3", "class/block/sdb/sdb1/holders/dm-3")
	if holder != "" {
		a.write("devices/virtual/block/dm-3/holders/"+holder, "")
	}
	if failed {
		a.state.Members = append(a.state.Members, array.MemberState{Device: "dm-3", Number: array.Number{Major: 252, Minor: 3}, Slot: -1, Flags: []string{"faulty"}})
	}
}

// paths makes sdb and the disk of session 3 the paths of a multipath map, dm-5. Its partition,
// dm-6, has the superblock of sdb1.
func (a *arrays) paths() {
	for path, text := range map[string]string{
		"host3/session3/target3:0:0/3:0:0:0/type": "0\n", "host3/session3/target3:0:0/3:0:0:0/block/sdc/dev": "8:32\n",
		"host3/session3/target3:0:0/3:0:0:0/block/sdc/size": "4096\n",
		"virtual/block/dm-5/dev":                            "252:5\n", "virtual/block/dm-5/size": "4096\n", "virtual/block/dm-5/dm/name": "36001\n",
		"virtual/block/dm-5/dm/uuid": "mpath-36001\n", "virtual/block/dm-5/dm/suspended": "0\n",
		"virtual/block/dm-6/dev": "252:6\n", "virtual/block/dm-6/size": "4096\n", "virtual/block/dm-6/dm/name": "36001-part1\n",
		"virtual/block/dm-6/dm/uuid": "part1-mpath-36001\n", "virtual/block/dm-6/dm/suspended": "0\n",
	} {
		a.write("devices/"+path, text)
	}
	a.link("devices/host3/session3", "class/iscsi_session/session3/device")
	a.link("devices/host3/session3/target3:0:0/3:0:0:0/block/sdc", "class/block/sdc")
	for _, below := range []string{"sdb", "sdc", "dm-5"} {
		above := "dm-5"
		if below == above {
			above = "dm-6"
		}
		if below != "sdc" {
			a.link("devices/virtual/block/"+above, "class/block/"+above)
		}
		a.link("class/block/"+below, "class/block/"+above+"/slaves/"+below)
		a.link("class/block/"+above, "class/block/"+below+"/holders/"+above)
	}
	a.super["dm-6"] = a.super["sdb1"]
	delete(a.super, "sdb1")
	d, err := blockdev.Read(a.sys, "dm-5")
	if err != nil {
		a.t.Fatal(err)
	}
	a.disks[1] = d
}

func (a *arrays) List() ([]string, error)           { return []string{"md0"}, nil }
func (a *arrays) State(string) (array.State, error) { return a.state, nil }
func (a *arrays) RemoveFailed(string) error {
	a.calls = append(a.calls, "remove failed")
	a.state.Members = slices.DeleteFunc(a.state.Members, func(m array.MemberState) bool { return m.Device == "" })
	a.state.Degraded = a.state.Disks
	for _, m := range a.state.Members {
		if m.Is("in_sync") {
			a.state.Degraded--
		}
	}
	return nil
}

func (a *arrays) Add(_ string, m array.Number) error {
	a.calls = append(a.calls, fmt.Sprintf("add %d:%d", m.Major, m.Minor))
	return a.add
}

func (a *arrays) ReAdd(_ string, m array.Number, number uint32, slot int) error {
	a.calls = append(a.calls, fmt.Sprintf("re-add %d:%d number %d slot %d", m.Major, m.Minor, number, slot))
	if m.Minor != 17 {
		return nil
	}
	return a.reAdd
}

func (a *arrays) read(device string, size int64) (md.Superblock, error) {
	if size != 4096*512 {
		a.t.Errorf("%s of %d bytes", device, size)
	}
	a.calls = append(a.calls, "read "+device)
	sb, ok := a.super[device]
	if !ok {
		return sb, md.ErrNone
	}
	return sb, nil
}

func (a *arrays) Errorf(format string, args ...any) {
	a.log = append(a.log, fmt.Sprintf(format, args...))
}
func (a *arrays) Warnf(format string, args ...any) { a.Errorf(format, args...) }
func (a *arrays) Infof(format string, args ...any) { a.Errorf(format, args...) }

func TestMembers(t *testing.T) {
	const reAdd, add = "re-add 8:17 number 1 slot 1", "add 8:17"
	const left = ": not taken back: mdadm --zero-superblock /dev/sdb1 and mdadm /dev/md0 --add /dev/sdb1 would write it anew from the array"
	tooOld := fmt.Errorf("re-add: %w", array.ErrTooOld)
	member := func(a *arrays, change func(sb *md.Superblock)) {
		sb := a.super["sdb1"]
		sb.Roles = slices.Clone(sb.Roles)
		change(&sb)
		a.super["sdb1"] = sb
	}
	for name, tt := range map[string]struct {
		change func(a *arrays)
		calls  string // without reads
		log    string
		err    string
	}{
		"back":        {func(*arrays) {}, reAdd, "array md0: sdb1 is back: what has changed meanwhile is written to it", ""},
		"too old":     {func(a *arrays) { a.reAdd = tooOld }, reAdd + ", " + add, "array md0: sdb1 is back, and has missed too much: all of it is written anew", ""},
		"no space":    {func(a *arrays) { a.reAdd, a.add = tooOld, unix.ENOSPC }, reAdd + ", " + add, "", "no space left on device"},
		"a spare":     {func(a *arrays) { member(a, func(sb *md.Superblock) { sb.Roles[1] = md.RoleSpare }) }, add, "array md0: sdb1 is back, a spare", ""},
		"newer":       {func(a *arrays) { member(a, func(sb *md.Superblock) { sb.Events = 21 }) }, "", "array md0: sdb1 has newer data than the array that runs" + left, ""},
		"on its own":  {func(a *arrays) { member(a, func(sb *md.Superblock) { sb.Roles[0] = md.RoleFaulty }) }, "", "array md0: sdb1 may have been written to without the array that runs" + left, ""},
		"faulty":      {func(a *arrays) { member(a, func(sb *md.Superblock) { sb.Roles[1] = md.RoleFaulty }) }, "", "array md0: sdb1 is not a member by its own superblock" + left, ""},
		"another set": {func(a *arrays) { member(a, func(sb *md.Superblock) { sb.Set[0]++ }) }, "none", "", ""},
		"taken": {func(a *arrays) {
			a.state.Members = append(a.state.Members, array.MemberState{Device: "sdc1", Slot: 1, Flags: []string{"spare"}})
		}, "", "array md0: sdb1 has a place that another member has taken" + left, ""},
		"its old device": {func(a *arrays) {
			a.state.Members = append(a.state.Members, array.MemberState{Slot: 1, Flags: []string{"in_sync"}})
		}, reAdd, "array md0: sdb1 is back: what has changed meanwhile is written to it", ""},
		"held as failed": {func(a *arrays) {
			a.write("class/block/sdb/sdb1/holders/md0", "")
			a.state.Members = append(a.state.Members, array.MemberState{Device: "sdb1", Number: array.Number{Major: 8, Minor: 17}, Slot: -1, Flags: []string{"faulty"}})
		}, reAdd, "array md0: sdb1 is back: what has changed meanwhile is written to it", ""},
		"a volume held as failed":    {func(a *arrays) { a.volume("0", "md0", true) }, "re-add 252:3 number 1 slot 1", "array md0: dm-3 is back: what has changed meanwhile is written to it", ""},
		"a volume that is free":      {func(a *arrays) { a.volume("0", "", false) }, "re-add 252:3 number 1 slot 1", "array md0: dm-3 is back: what has changed meanwhile is written to it", ""},
		"a volume that is in use":    {func(a *arrays) { a.volume("0", "dm-4", false) }, "none", "", ""},
		"a volume that is suspended": {func(a *arrays) { a.volume("1", "md0", true) }, "none", "", ""},
		"a volume on a disk that is down": {func(a *arrays) {
			a.volume("0", "md0", true)
			a.write("devices/host3/session3/target3:0:0/3:0:0:0/block/sdc/dev", "8:32\n")
			a.write("devices/host3/session3/target3:0:0/3:0:0:0/block/sdc/size", "4096\n")
			a.link("devices/host3/session3/target3:0:0/3:0:0:0/block/sdc", "class/block/sdc")
			a.link("class/block/sdc", "class/block/dm-3/slaves/sdc")
		}, "none", "", ""},
		"a partition of a map": {(*arrays).paths, "re-add 252:6 number 1 slot 1", "array md0: dm-6 is back: what has changed meanwhile is written to it", ""},
		"a map held as failed": {func(a *arrays) {
			a.paths()
			a.write("class/block/dm-6/holders/md0", "")
			a.state.Members = append(a.state.Members, array.MemberState{Device: "dm-6", Number: array.Number{Major: 252, Minor: 6}, Slot: -1, Flags: []string{"faulty"}})
		}, "re-add 252:6 number 1 slot 1", "array md0: dm-6 is back: what has changed meanwhile is written to it", ""},
		"a volume on a map": {func(a *arrays) {
			a.paths()
			a.super["sdb1"] = a.super["dm-6"]
			delete(a.super, "dm-6")
			a.volume("0", "", false)
			path := filepath.Join(a.sys, "class/block/dm-3/slaves")
			if err := os.RemoveAll(path); err != nil {
				a.t.Fatal(err)
			}
			a.link("class/block/dm-6", "class/block/dm-3/slaves/dm-6")
			a.link("class/block/dm-3", "class/block/dm-6/holders/dm-3")
		}, "re-add 252:3 number 1 slot 1", "array md0: dm-3 is back: what has changed meanwhile is written to it", ""},
		"the live member is on a map": {func(a *arrays) {
			a.paths()
			a.super["sda1"], a.super["dm-6"] = a.super["dm-6"], a.super["sda1"]
			a.write("class/block/dm-6/holders/md0", "")
			a.state.Members[0].Device = "dm-6"
			if err := os.RemoveAll(filepath.Join(a.sys, "class/block/sda/sda1/holders")); err != nil {
				a.t.Fatal(err)
			}
		}, "re-add 8:1 number 1 slot 1", "array md0: sda1 is back: what has changed meanwhile is written to it", ""},
		"in use": {func(a *arrays) { a.write("class/block/sdb/sdb1/holders/dm-0", "") }, "none", "", ""},
		"busy":   {func(a *arrays) { a.reAdd = unix.EBUSY }, reAdd, "", "device or resource busy"},
		"gone without I/O": {func(a *arrays) {
			a.state.Degraded = 0
			a.state.Members = append(a.state.Members, array.MemberState{Slot: 1, Flags: []string{"in_sync"}})
		}, reAdd, "array md0: sdb1 is back: what has changed meanwhile is written to it", ""},
		"a copy": {func(a *arrays) { a.copy(0) }, "", "", "array md0: sdb1 and sdb are the same member: neither is taken back: keep one of them away"},
		"a rival": {func(a *arrays) {
			a.reAdd = tooOld
			a.copy(1)
		}, reAdd + ", re-add 8:16 number 1 slot 1", "array md0: sdb1 has missed too much, and its place is that of sdb too" + left + "\narray md0: sdb is back: what has changed meanwhile is written to it", ""},
		"two for a place": {func(a *arrays) { a.copy(1) }, reAdd, "array md0: sdb1 is back: what has changed meanwhile is written to it\n" +
			"array md0: sdb has a place that another member has taken" + strings.ReplaceAll(left, "sdb1", "sdb") + "\narray md0: sdb1 is back: what has changed meanwhile is written to it", ""},
		"on a local disk": {func(a *arrays) {
			a.write("devices/ata1/block/vda/dev", "253:0\n")
			a.write("devices/ata1/block/vda/size", "4096\n")
			a.link("devices/ata1/block/vda", "class/block/vda")
			a.super["vda"] = a.super["sda1"]
			a.state.Members[0].Device, a.disks = "vda", a.disks[1:]
		}, reAdd, "array md0: sdb1 is back: what has changed meanwhile is written to it", ""},
		"no degraded":                 {func(a *arrays) { a.state.Degraded = 0 }, "none", "", ""},
		"of other disks":              {func(a *arrays) { a.state.Members = nil }, "none", "", ""},
		"no live member":              {func(a *arrays) { delete(a.super, "sda1") }, "none", "", "array md0: no member that is in sync can be read"},
		"the live member is not here": {func(a *arrays) { a.disks = a.disks[1:] }, "none", "", "array md0: no member that is in sync can be read"},
		"added by mdadm meanwhile": {func(a *arrays) {
			a.reAdd = unix.EBUSY
			a.state.Members = append(a.state.Members, array.MemberState{Device: "sdb1", Number: array.Number{Major: 8, Minor: 17}, Slot: -1, Flags: []string{"spare"}})
		}, reAdd, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArrays(t)
			tt.change(a)
			for range 2 { // what is not taken back is logged once
				a.calls = nil
				_, err := a.members.Refresh(a.disks)
				if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
			}
			calls := strings.Join(slices.DeleteFunc(slices.Clone(a.calls), func(c string) bool { return strings.HasPrefix(c, "read ") }), ", ")
			want := strings.TrimSuffix("remove failed, "+tt.calls, ", ")
			if tt.calls == "none" {
				want = ""
			}
			if calls != want {
				t.Errorf("calls %q, want %q", calls, want)
			}
			if got := strings.Join(slices.Compact(a.log), "\n"); got != tt.log || strings.Contains(tt.log, "not taken") && strings.Count(strings.Join(a.log, ""), "not taken") != 1 {
				t.Errorf("log %q, want %q", a.log, tt.log)
			}
		})
	}
}
