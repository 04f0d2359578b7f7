package legs

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// mapper is device-mapper with the devices of a raid1.
type mapper struct {
	all    map[string]*dev
	health string
	done   []string        // what changes something
	fail   map[string]bool // which of that fails
	sticks bool            // an exchange that fails leaves its last device suspended
	last   table.Table     // of the last exchange's last device
	minor  uint32
}

type dev struct {
	info        dm.Info
	now, loaded table.Table
}

func (m *mapper) do(op, name string) error {
	m.done = append(m.done, op+" "+name)
	if m.fail[op+" "+name] {
		return unix.EIO
	}
	return nil
}

func (m *mapper) Info(name string) (dm.Info, error) {
	d := m.all[name]
	if d == nil {
		return dm.Info{}, unix.ENXIO
	}
	d.info.Inactive = d.loaded != nil
	return d.info, nil
}

func (m *mapper) Table(name string) (table.Table, error) { return m.all[name].now, nil }

func (m *mapper) Status(name string) ([]dm.Status, error) {
	if m.all[name] == nil {
		return nil, unix.ENXIO
	}
	return []dm.Status{{Type: "raid", Text: fmt.Sprintf("raid1 %d %s 8192/8192 idle 0 0 -", len(m.health), m.health)}}, nil
}

func (m *mapper) Activate(name, uuid string, t table.Table, u dm.Udev, _ dm.Option) (dm.Info, error) {
	if err := m.do(fmt.Sprintf("activate-%x", u), name); err != nil {
		return dm.Info{}, err
	}
	m.minor++
	d := &dev{info: dm.Info{Name: name, UUID: uuid, Number: table.Number{Major: 253, Minor: m.minor}, Active: true}, now: t}
	m.all[name] = d
	return d.info, nil
}

func (m *mapper) Load(name string, t table.Table, _ dm.Option) error {
	err := m.do("load", name)
	if err == nil {
		m.all[name].loaded = t
	}
	return err
}

func (m *mapper) Clear(name string) error {
	m.all[name].loaded = nil
	return m.do("clear", name)
}

func (m *mapper) Resume(name string, u dm.Udev, o dm.Option) (dm.Info, error) {
	d := m.all[name]
	if d.loaded != nil {
		d.now, d.loaded = d.loaded, nil
	}
	err := m.do(fmt.Sprintf("resume-%x-%x", u, o), name)
	d.info.Suspended = err != nil
	return d.info, err
}

func (m *mapper) Exchange(changes []dm.Change) error {
	var words []string
	m.last = changes[len(changes)-1].Last
	for _, c := range changes {
		if c.Old.String() != m.all[c.Name].now.String() {
			return unix.EBADMSG
		}
		words = append(words, fmt.Sprintf("%s-%v-%x", c.Name, c.Hold, c.Udev))
	}
	if err := m.do("exchange", strings.Join(words, ",")); err != nil {
		m.all[changes[len(changes)-1].Name].info.Suspended = m.sticks
		return err
	}
	for _, c := range changes {
		if d := m.all[c.Name]; d.loaded != nil {
			d.now, d.loaded = d.loaded, nil
		}
	}
	return nil
}

func (m *mapper) Remove(name string, _ dm.Option) error {
	delete(m.all, name)
	return m.do("remove", name)
}

func (*mapper) Close() error { return nil }

// machine is a host with the volume vg/r1 on disks by real lvm2, and its legs on disks 2, 3 and 4.
type machine struct {
	*testing.T
	*mapper
	*Refresher
	set   string // of pkg/lvm/testdata
	disks []*blockdev.Device
	said  []string
}

func (m *machine) Infof(format string, args ...any) {
	m.said = append(m.said, fmt.Sprintf(format, args...))
}
func (m *machine) Warnf(format string, args ...any) { m.Infof("warning: "+format, args...) }

const diskMiB = 64 // of scripts/lvm-testdata

// newMachine activates the volume, without some of its disks.
func newMachine(t *testing.T, without ...int) *machine {
	m := emptyMachine(t, "raid")
	for i := range 6 {
		if !slices.Contains(without, i) {
			m.attach(i, i)
		}
	}
	m.activate("r1")
	return m
}

// emptyMachine has no disks.
func emptyMachine(t *testing.T, set string) *machine {
	dir := t.TempDir()
	m := &machine{T: t, set: set, mapper: &mapper{all: map[string]*dev{}, health: "AAA", minor: 10}}
	m.Refresher = &Refresher{
		Sys: filepath.Join(dir, "sys"), Dev: filepath.Join(dir, "dev"), Locks: filepath.Join(dir, "locks"), Note: filepath.Join(dir, "note"),
		Open: func() (Mapper, error) { return m.mapper, nil }, Log: m,
	}
	for _, d := range []string{m.Dev, filepath.Join(m.Sys, "dev/block")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// activate activates a volume of the first group.
func (m *machine) activate(lv string) {
	m.Helper()
	t := m.T
	m.write(filepath.Join(m.Sys, "class/block/dm-0"), nil)
	s, err := m.scan(m.mapper, m.disks)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := s.groups[0].Plan(lv, lvm.Options{Degraded: true})
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]table.Number{}
	for _, v := range plan {
		w, err := s.tableOf(v, made)
		if err != nil {
			t.Fatal(err)
		}
		info, _ := m.Activate(v.Name, v.UUID, w, 0, 0)
		made[v.Name] = info.Number
	}
	m.done = nil
}

// attach makes the i-th disk the device sdX with the minor number 16 X.
func (m *machine) attach(i, x int) {
	m.Helper()
	name := "sd" + string(rune('a'+x))
	at := filepath.Join(m.Sys, "class/block", name)
	number := fmt.Sprintf("8:%d", 16*x)
	for file, text := range map[string]string{"size": fmt.Sprint(diskMiB << 11), "dev": number} {
		m.write(filepath.Join(at, file), []byte(text))
	}
	m.write(filepath.Join(m.Sys, "dev/block", number), nil)
	b, err := os.ReadFile(fmt.Sprintf("../../lvm/testdata/%s/254-%d.gz", m.set, 16*i))
	if err != nil {
		m.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		m.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		m.Fatal(err)
	}
	image := filepath.Join(m.Dev, name)
	m.write(image, b)
	if err := os.Truncate(image, diskMiB<<20); err != nil {
		m.Fatal(err)
	}
	if leg := i - 2; m.set == "raid" && leg >= 0 && leg < 3 {
		m.super(x, leg, 5)
	}
	d, err := blockdev.Read(m.Sys, name)
	if err != nil {
		m.Fatal(err)
	}
	m.disks = append(m.disks, d)
}

// detach takes a device away.
func (m *machine) detach(x int) {
	name := "sd" + string(rune('a'+x))
	for _, path := range []string{filepath.Join(m.Sys, "class/block", name), filepath.Join(m.Sys, "dev/block", fmt.Sprintf("8:%d", 16*x)), filepath.Join(m.Dev, name)} {
		if err := os.RemoveAll(path); err != nil {
			m.Fatal(err)
		}
	}
	m.disks = slices.DeleteFunc(m.disks, func(d *blockdev.Device) bool { return d.Name == name })
}

// super writes the superblock of a leg, with the legs that it has noted as failed.
func (m *machine) super(x, leg int, events uint64, failed ...int) {
	m.Helper()
	b := make([]byte, table.RaidSuperblockLen)
	binary.LittleEndian.PutUint32(b, 0x64526D44)
	binary.LittleEndian.PutUint32(b[8:], 3)
	binary.LittleEndian.PutUint32(b[12:], uint32(leg))
	binary.LittleEndian.PutUint64(b[16:], events)
	for _, i := range failed {
		b[24] |= 1 << i
	}
	at := int64(11264) // of r1_rmeta_0 in testdata/raid/tables
	if leg == 2 {
		at = 6144
	}
	f, err := os.OpenFile(filepath.Join(m.Dev, "sd"+string(rune('a'+x))), os.O_WRONLY, 0)
	if err != nil {
		m.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteAt(b, at*512); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) write(path string, b []byte) {
	m.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		m.Fatal(err)
	}
}
