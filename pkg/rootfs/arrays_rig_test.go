package rootfs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
)

// fakeArrays has md in files, beside the device-mapper of fakeKernel.
type fakeArrays struct {
	*fakeKernel
	run    map[string][]array.Number // the members of what runs, by the kernel's name
	parts  map[string]int64          // by name in the superblock: the size of partition 1, in sectors
	starts []string                  // what was started
	used   string                    // an array that is in use
	pv     string                    // the disk of mirrorOfVolumes
	at     int64                     // where its group begins, in sectors
}

func (k *fakeArrays) Start(name string, minor int, members []array.Number) error {
	k.t.Helper()
	if _, ok := k.run[name]; ok {
		return fmt.Errorf("start array %s: %w", name, unix.EEXIST)
	}
	var sb md.Superblock
	var sectors uint64       // of all members
	data := map[int][]byte{} // by slot
	for _, n := range members {
		device := k.device(n.String())
		if slices.ContainsFunc(slices.Collect(maps.Values(k.run)), func(other []array.Number) bool { return slices.Contains(other, n) }) {
			return fmt.Errorf("start array %s: member %s: %w", name, n, unix.EBUSY)
		}
		f, err := os.Open(filepath.Join(k.paths.dev, device))
		if err != nil {
			k.t.Fatal(err)
		}
		info, _ := f.Stat()
		if sb, err = md.Read(f, info.Size()); err != nil || sb.Minor != minor {
			k.t.Fatalf("%s: %+v, %v", device, sb, err)
		}
		if m := sb.Level.Module(); m == k.lacks {
			return &array.ModuleError{Module: m, Err: unix.EINVAL}
		}
		sectors += sb.DataSectors
		b := make([]byte, min(sb.DataSectors*512, contentBytes))
		if _, err := f.ReadAt(b, int64(sb.DataOffset*512)); err != nil && !errors.Is(err, io.EOF) {
			k.t.Fatal(err)
		}
		data[int(sb.Roles[sb.Number])] = b
		_ = f.Close()
	}
	k.run[name] = members
	k.starts = append(k.starts, cmp.Or(sb.Name, name))
	number := strings.TrimPrefix(name, "md")
	dir := filepath.Join(k.paths.sys, "class/block", name)
	content := contentsOf(sb, data)
	if sb.Level != md.RAID0 && sb.Level != md.Linear {
		sectors = sb.Sectors
	}
	files := map[string]string{
		filepath.Join(dir, "size"): fmt.Sprint(sectors), filepath.Join(dir, "dev"): "9:" + number,
		filepath.Join(dir, "md/array_state"): "read-auto\n",
	}
	if size := k.parts[sb.Name]; size > 0 {
		part := name + "p1"
		files[filepath.Join(dir, part, "size")] = fmt.Sprint(size)
		files[filepath.Join(dir, part, "start")] = fmt.Sprint(partStart)
		files[filepath.Join(dir, part, "dev")] = "259:" + number
		files[filepath.Join(dir, part, "partition")] = "1"
		k.node(part, content[partStart*512:], size*512)
	}
	k.node(name, content, int64(sectors*512))
	writeFiles(k.t, files)
	return nil
}

// node makes a device that begins with these contents, as a sparse file.
func (k *fakeArrays) node(name string, contents []byte, size int64) {
	k.t.Helper()
	f, err := os.Create(filepath.Join(k.paths.dev, name))
	if err != nil {
		k.t.Fatal(err)
	}
	err = f.Truncate(size)
	for at := 0; at < len(contents); at += chunkBytes {
		if b := contents[at:min(at+chunkBytes, len(contents))]; int64(at+len(b)) <= size && len(bytes.Trim(b, "\x00")) > 0 {
			_, werr := f.WriteAt(b, int64(at))
			err = errors.Join(err, werr)
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		k.t.Fatal(err)
	}
}

// partStart is where partition 1 begins, in sectors.
const partStart = 2048

// contentBytes is how much of each member has contents.
const contentBytes = 12 << 20

// contentsOf returns the start of what is in an array.
func contentsOf(sb md.Superblock, data map[int][]byte) (out []byte) {
	slots := slices.Sorted(maps.Keys(data))
	switch sb.Level {
	case md.RAID0:
		for at := 0; at < len(data[0]); at += chunkBytes {
			for _, s := range slots {
				out = append(out, data[s][at:min(at+chunkBytes, len(data[s]))]...)
			}
		}
		return out
	default:
		return data[slots[0]]
	}
}

func (k *fakeArrays) Stop(name string) error {
	members, ok := k.run[name]
	switch {
	case !ok:
		return fmt.Errorf("stop array %s: %w", name, os.ErrNotExist)
	case name == k.used, k.holds(name):
		return fmt.Errorf("stop array %s: %w", name, unix.EBUSY)
	}
	k.t.Logf("stop %s of %v", name, members)
	delete(k.run, name)
	return os.RemoveAll(filepath.Join(k.paths.sys, "class/block", name))
}

// holds reports whether a volume or an array stands on an array.
func (k *fakeArrays) holds(name string) bool {
	n := array.Number{Major: 9, Minor: 0}
	_, _ = fmt.Sscanf(name, "md%d", &n.Minor)
	for _, members := range k.run {
		if slices.Contains(members, n) {
			return true
		}
	}
	return k.isBelow(table.Number(n))
}

func (k *fakeArrays) Remove(name string, o dm.Option) error {
	if info, ok := k.made[name]; ok {
		for _, members := range k.run {
			if slices.Contains(members, array.Number(info.Number)) {
				return unix.EBUSY
			}
		}
	}
	return k.fakeKernel.Remove(name, o)
}

func (k *fakeArrays) List() ([]string, error) { return slices.Sorted(maps.Keys(k.run)), nil }

func (k *fakeArrays) State(name string) (array.State, error) {
	s := array.State{ArrayState: "read-auto"}
	for _, n := range k.run[name] {
		s.Members = append(s.Members, array.MemberState{Number: n})
	}
	return s, nil
}

// arrayNames lists what runs, sorted.
func (k *fakeArrays) arrayNames() string { return strings.Join(slices.Sorted(maps.Keys(k.run)), " ") }

// arrayDisks returns a Storage with n empty disks of 96 MiB, sda and on, each of a session of its
// own, that looks for a root.
func arrayDisks(t *testing.T, n int, root string) (*Storage, *fakeArrays) {
	t.Helper()
	plan, err := bootspec.Parse(cmdline.Parse(root))
	if err != nil {
		t.Fatal(err)
	}
	k := &fakeKernel{t: t, paths: paths{t.TempDir(), t.TempDir()}, made: map[string]dm.Info{}, tables: map[string]table.Table{}}
	ka := &fakeArrays{fakeKernel: k, run: map[string][]array.Number{}, parts: map[string]int64{}}
	st := rootAt(plan.Root, n)
	st.volumes, st.arrays = k, ka
	for i := range n {
		disk := fmt.Sprintf("sd%c", 'a'+i)
		ka.addDisk(disk, fmt.Sprintf("8:%d", 16*i))
		st.disks = append(st.disks, ourDisk(disk, i, 1))
	}
	return st, ka
}

const diskBytes = 96 << 20

func (k *fakeArrays) addDisk(name, number string) {
	k.t.Helper()
	dir := filepath.Join(k.paths.sys, "class/block", name)
	writeFiles(k.t, map[string]string{
		filepath.Join(dir, "size"): fmt.Sprintln(diskBytes / 512), filepath.Join(dir, "dev"): number, filepath.Join(k.paths.dev, name): "",
	})
	if err := os.Truncate(filepath.Join(k.paths.dev, name), diskBytes); err != nil {
		k.t.Fatal(err)
	}
}

// member is a superblock to be written to a device.
type member struct {
	device string
	minor  int
	set    byte // of all bytes of the UUID
	name   string
	level  md.Level
	slots  int
	slot   int
	events uint64
	dirty  bool
	empty  []int // slots that it has as empty
	at     int64 // where the device begins, in sectors of the disk
	size   int64 // in sectors; 0: the disk's
	data   int64 // in sectors; 0: what is left of the size
}

// chunkBytes is the size of a chunk of stripes.
const chunkBytes = 64 << 10

// dataOffset is where the array's data begin on a member, in sectors.
func (m member) dataOffset() int64 {
	if m.minor == 0 {
		return 0
	}
	return 64
}

// add writes the superblock (md_p.h: struct mdp_superblock_1).
func (k *fakeArrays) add(m member) {
	k.t.Helper()
	m.size = cmp.Or(m.size, diskBytes/512)
	place := []int64{(m.size - 16) &^ 7, 0, 8}[m.minor]
	data := cmp.Or(m.data, (m.size-128)&^127)
	const roles = 16
	b := make([]byte, 256+2*roles)
	le := binary.LittleEndian
	le.PutUint32(b, 0xa92b4efc)
	le.PutUint32(b[4:], 1)
	for i := range 16 {
		b[16+i], b[168+i] = m.set, m.set^byte(m.slot+1)
	}
	copy(b[32:64], m.name)
	le.PutUint32(b[72:], uint32(int32(m.level)))
	le.PutUint64(b[80:], uint64(data))
	le.PutUint32(b[88:], chunkBytes/512)
	le.PutUint32(b[92:], uint32(m.slots))
	le.PutUint64(b[128:], uint64(m.dataOffset()))
	le.PutUint64(b[136:], uint64(data))
	le.PutUint64(b[144:], uint64(place))
	le.PutUint32(b[160:], uint32(m.slot))
	le.PutUint64(b[200:], cmp.Or(m.events, 10))
	if !m.dirty {
		le.PutUint64(b[208:], ^uint64(0))
	}
	le.PutUint32(b[220:], roles)
	for i := range roles {
		role := uint16(i)
		if i >= m.slots {
			role = md.RoleSpare
		}
		if slices.Contains(m.empty, i) {
			role = md.RoleFaulty
		}
		le.PutUint16(b[256+2*i:], role)
	}
	var sum uint64
	for i := 0; i < len(b); i += 4 {
		sum += uint64(le.Uint32(b[i:]))
	}
	le.PutUint32(b[216:], uint32(sum)+uint32(sum>>32))
	k.write(m.device, m.at+place, b)
}

// mirror writes a raid1 over disks, and what is in it.
func (k *fakeArrays) mirror(set byte, name string, minor int, contents []byte, disks ...string) {
	for i, d := range disks {
		m := member{device: d, minor: minor, set: set, name: name, level: md.RAID1, slots: len(disks), slot: i}
		k.add(m)
		k.write(d, m.dataOffset(), contents)
	}
}

// stripes writes a raid0 over disks, and what is in it.
func (k *fakeArrays) stripes(set byte, name string, contents []byte, disks ...string) {
	for i, d := range disks {
		m := member{device: d, minor: 2, set: set, name: name, level: md.RAID0, slots: len(disks), slot: i}
		k.add(m)
		for at := i * chunkBytes; at < len(contents); at += len(disks) * chunkBytes {
			k.write(d, m.dataOffset()+int64(at/len(disks)/chunkBytes*chunkBytes/512), contents[at:min(at+chunkBytes, len(contents))])
		}
	}
}

// find searches for the root that the command line names.
func (k *fakeArrays) find(st *Storage) ([]*blockdev.Device, error) {
	return st.search(k.t.Context(), k.paths, st.Spec.Root.Device.V)
}

// warnings is what a Storage has logged.
func warnings(st *Storage) string {
	return strings.Join(st.Log.(*steptest.Recorder).All(), "\n")
}
