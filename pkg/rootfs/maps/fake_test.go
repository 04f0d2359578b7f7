package maps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// device is one of fakeMapper's.
type device struct {
	info          dm.Info
	table, loaded table.Table
	failed        map[string]bool // paths
	damaged       error           // of its table
}

// fakeMapper is device-mapper with a sysfs in files.
type fakeMapper struct {
	t       *testing.T
	sys     string
	devices map[string]*device
	log     []string // commands that change something
	busy    string   // a device that is in use
	open    int      // how often devices are open, as Info has it
	refuse  error    // of an activation
}

// node is the kernel's name of a device.
func (d *device) node() string { return fmt.Sprintf("dm-%d", d.info.Number.Minor) }

func (f *fakeMapper) Activate(name, uuid string, t table.Table, _ dm.Udev, o dm.Option) (dm.Info, error) {
	if f.refuse != nil {
		return dm.Info{}, f.refuse
	}
	if f.devices[name] != nil {
		return dm.Info{}, unix.EEXIST
	}
	d := &device{info: dm.Info{Name: name, UUID: uuid, Number: table.Number{Major: 253, Minor: uint32(len(f.devices))}, Active: true, ReadOnly: o == dm.ReadOnly}, table: t, failed: map[string]bool{}}
	f.devices[name] = d
	f.log = append(f.log, "activate "+name)
	f.files(map[string]string{
		"class/block/" + d.node() + "/size": fmt.Sprint(t.Sectors()), "class/block/" + d.node() + "/dev": d.info.Number.String(),
		"class/block/" + d.node() + "/dm/name": name, "class/block/" + d.node() + "/dm/uuid": uuid,
	})
	f.link("dev/block/"+d.info.Number.String(), "../../class/block/"+d.node())
	f.slaves(d)
	return d.info, nil
}

// slaves makes the links to the devices below one.
func (f *fakeMapper) slaves(d *device) {
	dir := filepath.Join(f.sys, "class/block", d.node(), "slaves")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		f.t.Fatal(err)
	}
	for _, word := range strings.Fields(d.table.String()) {
		if node, err := os.Readlink(filepath.Join(f.sys, "dev/block", word)); err == nil {
			f.link("class/block/"+d.node()+"/slaves/"+filepath.Base(node), "../../"+filepath.Base(node))
			f.link("class/block/"+filepath.Base(node)+"/holders/"+d.node(), "../../"+d.node())
		}
	}
}

func (f *fakeMapper) files(files map[string]string) {
	f.t.Helper()
	for name, text := range files {
		path := filepath.Join(f.sys, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text+"\n"), 0o600)); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fakeMapper) link(name, to string) {
	f.t.Helper()
	path := filepath.Join(f.sys, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.RemoveAll(path), os.Symlink(to, path)); err != nil {
		f.t.Fatal(err)
	}
}

// disk makes a disk, whose page 0x83 has an NAA name.
func (f *fakeMapper) disk(name string, minor, sectors int, naa string, more map[string]string) {
	f.t.Helper()
	dir := "class/block/" + name
	f.files(map[string]string{dir + "/size": fmt.Sprint(sectors), dir + "/dev": fmt.Sprintf("8:%d", minor), dir + "/device/vendor": "LIO-ORG "})
	for attribute, text := range more {
		f.files(map[string]string{dir + "/" + attribute: text})
	}
	f.link(fmt.Sprintf("dev/block/8:%d", minor), "../../class/block/"+name)
	page := append([]byte{0, 0x83, 0, byte(4 + len(naa)), 1, 3, 0, byte(len(naa))}, naa...)
	if err := os.WriteFile(filepath.Join(f.sys, dir, "device/vpd_pg83"), page, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fakeMapper) get(name string) (*device, error) {
	if d := f.devices[name]; d != nil {
		return d, nil
	}
	return nil, unix.ENXIO
}

func (f *fakeMapper) Load(name string, t table.Table, o dm.Option) error {
	d, err := f.get(name)
	if err != nil {
		return err
	}
	if (o == dm.ReadOnly) != d.info.ReadOnly {
		return unix.EACCES
	}
	d.loaded = t
	return nil
}

func (f *fakeMapper) Exchange(changes []dm.Change) error {
	for _, c := range changes {
		d := f.devices[c.Name]
		if c.Old.String() != d.table.String() {
			f.t.Errorf("%s has the table %s, not %s", c.Name, d.table, c.Old)
		}
		d.table, d.loaded, d.failed = d.loaded, nil, map[string]bool{}
		f.slaves(d)
		f.log = append(f.log, "exchange "+c.Name)
	}
	return nil
}

func (f *fakeMapper) Info(name string) (dm.Info, error) {
	d, err := f.get(name)
	if err != nil {
		return dm.Info{}, err
	}
	d.info.Open = f.open
	return d.info, nil
}

func (f *fakeMapper) List() (out []dm.Entry, err error) {
	for name, d := range f.devices {
		out = append(out, dm.Entry{Name: name, Number: d.info.Number})
	}
	return out, nil
}

func (f *fakeMapper) Message(name string, _ uint64, text string) (string, error) {
	d, err := f.get(name)
	if err != nil {
		return "", err
	}
	f.log = append(f.log, text)
	if path, ok := strings.CutPrefix(text, "fail_path "); ok {
		d.failed[path] = true
	}
	if text == "fail_if_no_path" || text == "queue_if_no_path" {
		multipathOf(d.table).Queue = text == "queue_if_no_path"
	}
	return "", nil
}

func (f *fakeMapper) Remove(name string, _ dm.Option) error {
	d, err := f.get(name)
	switch {
	case err != nil:
		return err
	case name == f.busy:
		return unix.EBUSY
	}
	delete(f.devices, name)
	f.log = append(f.log, "remove "+name)
	return os.RemoveAll(filepath.Join(f.sys, "class/block", d.node()))
}

func (f *fakeMapper) Status(name string) ([]dm.Status, error) {
	d, err := f.get(name)
	if err != nil {
		return nil, err
	}
	m := multipathOf(d.table)
	text := fmt.Sprintf("2 0 0 0 %d 1", len(m.Groups))
	for _, g := range m.Groups {
		text += fmt.Sprintf(" A 0 %d 2", len(g.Paths))
		for _, p := range g.Paths {
			state := "A 0"
			if d.failed[p.String()] {
				state = "F 3"
			}
			text += " " + p.String() + " " + state + " 0 1"
		}
	}
	return []dm.Status{{Type: "multipath", Text: text}}, nil
}

func (f *fakeMapper) Table(name string) (table.Table, error) {
	d, err := f.get(name)
	if err != nil {
		return nil, err
	}
	if d.damaged != nil {
		return nil, d.damaged
	}
	var t table.Table
	for _, l := range d.table {
		target, err := table.Parse(l.Target.Type(), l.Target.Params())
		if err != nil {
			return nil, err
		}
		t = append(t, table.Line{Start: l.Start, Length: l.Length, Target: target})
	}
	return t, nil
}

func (f *fakeMapper) Close() error { return nil }

// newMaps returns maps of two disks that are the same LUN, on a fake.
func newMaps(t *testing.T) (*Maps, *fakeMapper) {
	t.Helper()
	f := &fakeMapper{t: t, sys: t.TempDir(), devices: map[string]*device{}}
	const naa = "\x60\x01\x40\x5f\x00\x00\x00\x01\x60\x01\x40\x5f\x00\x00\x00\x01"
	f.disk("sda", 0, 40960, naa, map[string]string{"device/access_state": "active/optimized", "device/preferred_path": "1"})
	f.disk("sdb", 16, 40960, naa, map[string]string{"device/access_state": "active/non-optimized"})
	return &Maps{
		Sys: f.sys, Dev: t.TempDir(),
		Load: func(context.Context, string) error { return nil },
		Open: func() (Mapper, error) { return f, nil },
	}, f
}
