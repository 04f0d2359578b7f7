package rootfs

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
)

// fakeKernel has device-mapper in files: what it makes is in sys, and its contents in dev, as the
// real one would show them.
type fakeKernel struct {
	t      *testing.T
	paths  paths
	made   map[string]dm.Info
	tables map[string]table.Table
	busy   string            // a device that is in use
	refuse string            // a device that cannot be made
	status string            // of a thin pool
	thin   map[string]string // contents that only a kernel can read
	last   map[string]int    // by device: how many were there when it was made, with itself
	lacks  string            // a module
	loaded []string
}

func (k *fakeKernel) Load(_ context.Context, module string) error {
	if module == k.lacks {
		return errors.New("module " + module + ": not in the image")
	}
	k.loaded = append(k.loaded, module)
	return nil
}

func (k *fakeKernel) Open(ctx context.Context) (volumes.Mapper, error) {
	if err := k.Load(ctx, "dm_mod"); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *fakeKernel) Close() error { return nil }

func (k *fakeKernel) Activate(name, uuid string, t table.Table, u dm.Udev, o dm.Option) (dm.Info, error) {
	k.t.Helper()
	if _, ok := k.made[name]; ok {
		return dm.Info{}, fmt.Errorf("create dm device %s: %w", name, unix.EEXIST)
	}
	if name == k.refuse {
		return dm.Info{}, fmt.Errorf("load dm device %s: %w", name, unix.EINVAL)
	}
	if hidden := strings.Contains(name, "_") || strings.HasSuffix(name, "-tpool") || strings.HasSuffix(name, "-real"); hidden != (u == dm.Hidden) {
		k.t.Errorf("%s has udev flags %x", name, u)
	}
	minor := uint32(len(k.made))
	for slices.ContainsFunc(k.infos(), func(i dm.Info) bool { return i.Number.Minor == minor }) {
		minor++
	}
	info := dm.Info{Name: name, UUID: uuid, Number: table.Number{Major: 253, Minor: minor}, ReadOnly: o == dm.ReadOnly}
	k.made[name], k.tables[name] = info, t
	if k.last != nil {
		k.last[name] = max(k.last[name], len(k.made))
	}
	node := fmt.Sprintf("dm-%d", minor)
	dir := filepath.Join(k.paths.sys, "class/block", node)
	writeFiles(k.t, map[string]string{
		filepath.Join(dir, "size"): fmt.Sprint(t.Sectors()), filepath.Join(dir, "dev"): info.Number.String(),
		filepath.Join(dir, "dm/name"): name + "\n", filepath.Join(k.paths.dev, node): k.contents(name, t),
	})
	if err := os.Truncate(filepath.Join(k.paths.dev, node), int64(t.Sectors())*table.SectorSize); err != nil {
		k.t.Fatal(err)
	}
	link := filepath.Join(k.paths.sys, "dev/block", info.Number.String())
	if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.RemoveAll(link), os.Symlink("../../class/block/"+node, link)); err != nil {
		k.t.Fatal(err)
	}
	return info, nil
}

func (k *fakeKernel) infos() (out []dm.Info) {
	for _, i := range k.made {
		out = append(out, i)
	}
	return out
}

// contents reads a new device through its table; what only a kernel can read is empty.
func (k *fakeKernel) contents(name string, t table.Table) string {
	r, err := t.Reader(func(n table.Number) io.ReaderAt {
		f, err := os.Open(filepath.Join(k.paths.dev, k.device(n.String())))
		if err != nil {
			k.t.Fatal(err)
		}
		k.t.Cleanup(func() { _ = f.Close() })
		return f
	})
	if err != nil {
		return k.thin[name]
	}
	b := make([]byte, min(t.Sectors(), 4096)*table.SectorSize)
	n, _ := r.ReadAt(b, 0)
	return string(b[:n])
}

// device is the name of a device, or of a partition, of a number.
func (k *fakeKernel) device(number string) string {
	k.t.Helper()
	devices, _ := filepath.Glob(filepath.Join(k.paths.sys, "class/block/*/dev"))
	parts, _ := filepath.Glob(filepath.Join(k.paths.sys, "class/block/*/*/dev"))
	for _, path := range append(devices, parts...) {
		if text, _ := os.ReadFile(path); strings.TrimSpace(string(text)) == number {
			return filepath.Base(filepath.Dir(path))
		}
	}
	k.t.Fatalf("no device %s", number)
	return ""
}

func (k *fakeKernel) Info(name string) (dm.Info, error) {
	if i, ok := k.made[name]; ok {
		return i, nil
	}
	return dm.Info{}, unix.ENXIO
}

func (k *fakeKernel) TableText(name string) (string, error) { return k.tables[name].String(), nil }

func (k *fakeKernel) Status(string) ([]dm.Status, error) { return []dm.Status{{Text: k.status}}, nil }

func (k *fakeKernel) Remove(name string, _ dm.Option) error {
	info, ok := k.made[name]
	switch {
	case !ok:
		return unix.ENXIO
	case name == k.busy, k.isBelow(info.Number):
		return unix.EBUSY
	}
	delete(k.made, name)
	return os.RemoveAll(filepath.Join(k.paths.sys, "class/block", fmt.Sprintf("dm-%d", info.Number.Minor)))
}

func (k *fakeKernel) isBelow(n table.Number) bool {
	for name := range k.made {
		for _, l := range k.tables[name] {
			if slices.Contains(strings.Fields(l.Target.Params()), n.String()) {
				return true
			}
		}
	}
	return false
}

// names lists what there is, sorted.
func (k *fakeKernel) names() string {
	var out []string
	for name := range k.made {
		out = append(out, name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// volumeDisks are disks as real lvm2 has written them: a case of pkg/lvm/testdata, of which each is
// a disk of a session. It returns a Storage that looks for a root there.
func volumeDisks(t *testing.T, name, root string) (*Storage, *fakeKernel) {
	t.Helper()
	plan, err := bootspec.Parse(cmdline.Parse(root))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("../lvm/testdata", name, "*.gz"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	k := &fakeKernel{t: t, paths: paths{t.TempDir(), t.TempDir()}, made: map[string]dm.Info{}, tables: map[string]table.Table{}}
	st := rootAt(plan.Root, len(files))
	st.volumes = k
	for i, file := range files {
		disk := fmt.Sprintf("sd%c", 'a'+i)
		k.disk(disk, i, file)
		st.disks = append(st.disks, ourDisk(disk, i, 1))
	}
	return st, k
}

// disk makes a disk of 64 MiB that begins as a file of testdata.
func (k *fakeKernel) disk(name string, i int, file string) {
	k.t.Helper()
	f, err := os.Open(file)
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		k.t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		k.t.Fatal(err)
	}
	dir := filepath.Join(k.paths.sys, "class/block", name)
	writeFiles(k.t, map[string]string{
		filepath.Join(dir, "size"): "131072\n", filepath.Join(dir, "dev"): fmt.Sprintf("8:%d\n", 16*i), filepath.Join(k.paths.dev, name): string(b),
	})
	if err := os.Truncate(filepath.Join(k.paths.dev, name), 64<<20); err != nil {
		k.t.Fatal(err)
	}
}

// write writes to a disk, from a sector on.
func (k *fakeKernel) write(disk string, sector int64, b []byte) {
	k.t.Helper()
	f, err := os.OpenFile(filepath.Join(k.paths.dev, disk), os.O_WRONLY, 0)
	if err != nil {
		k.t.Fatal(err)
	}
	_, err = f.WriteAt(b, sector*table.SectorSize)
	if err = errors.Join(err, f.Close()); err != nil {
		k.t.Fatal(err)
	}
}

// find searches for the root that the command line names.
func (k *fakeKernel) find(st *Storage) ([]*blockdev.Device, error) {
	return st.search(k.t.Context(), k.paths, st.Spec.Root.Device.V)
}

// madeVolumes returns what udev gets to know of the volumes.
func madeVolumes(st *Storage) []volumes.Made {
	made, _ := st.Made()
	return made
}
