package redundancy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// rig is a machine's sysfs and proc, and its devices of device-mapper.
type rig struct {
	t    *testing.T
	dir  string
	next int // minor
	maps map[string]dmDevice
}

// dmDevice is what the kernel knows of a device of device-mapper.
type dmDevice struct {
	table  table.Table
	status []dm.Status
	open   int
}

// newRig has sessions 1 to n, each with one disk: sda, sdb and so on.
func newRig(t *testing.T, n int) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), maps: map[string]dmDevice{}}
	r.write("proc/1/mountinfo", "")
	for i := range n {
		r.disk(i+1, 0, "sd"+string(rune('a'+i)))
	}
	return r
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		r.t.Fatal(err)
	}
}

// link makes name a link to another file below the rig.
func (r *rig) link(to, name string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(filepath.Join(r.dir, to), path))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		r.t.Fatal(err)
	}
}

// device makes a block device at a place of sysfs.
func (r *rig) device(place, name string) {
	r.t.Helper()
	r.next++
	r.write(place+"/dev", fmt.Sprintf("9:%d\n", r.next))
	r.write(place+"/size", "2048\n")
	r.link(place, "sys/class/block/"+name)
}

func (r *rig) disk(sid, lun int, name string) {
	r.t.Helper()
	session := fmt.Sprintf("sys/devices/platform/host%d/session%d", sid, sid)
	unit := fmt.Sprintf("%s/target%d:0:0/%d:0:0:%d", session, sid, sid, lun)
	r.write(unit+"/type", "0\n")
	r.device(unit+"/block/"+name, name)
	r.link(session, fmt.Sprintf("sys/class/iscsi_session/session%d/device", sid))
}

// partition makes one of a disk or an array: "sda1".
func (r *rig) partition(whole, name string) {
	r.t.Helper()
	place, err := os.Readlink(filepath.Join(r.dir, "sys/class/block", whole))
	if err != nil {
		r.t.Fatal(err)
	}
	place = strings.TrimPrefix(place, r.dir+"/") + "/" + name
	r.write(place+"/partition", "1\n")
	r.device(place, name)
}

// stack makes a device that stands on others.
func (r *rig) stack(name string, on ...string) {
	r.t.Helper()
	r.device("sys/devices/virtual/block/"+name, name)
	for _, d := range on {
		r.link("sys/class/block/"+d, "sys/class/block/"+name+"/slaves/"+d)
		r.link("sys/class/block/"+name, "sys/class/block/"+d+"/holders/"+name)
	}
}

// array makes an md array whose members are in sync, in the order of their slots. More are its
// attributes, as "layout=258".
func (r *rig) array(name, level string, members []string, more ...string) {
	r.t.Helper()
	r.stack(name, members...)
	md := "sys/class/block/" + name + "/md/"
	r.write(md+"level", level+"\n")
	r.write(md+"raid_disks", fmt.Sprintf("%d\n", len(members)))
	r.write(md+"resync_start", "none\n")
	r.write(md+"layout", "0\n")
	for i, m := range members {
		r.write(md+"dev-"+m+"/slot", fmt.Sprintf("%d\n", i))
		r.write(md+"dev-"+m+"/state", "in_sync\n")
	}
	for _, m := range more {
		attribute, value, _ := strings.Cut(m, "=")
		r.write(md+attribute, value+"\n")
	}
}

// number is a device's, from its attribute.
func (r *rig) number(name string) *table.Number {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, "sys/class/block", name, "dev"))
	if err != nil {
		r.t.Fatal(err)
	}
	n, err := table.ParseNumber(strings.TrimSpace(string(b)))
	if err != nil {
		r.t.Fatal(err)
	}
	return &n
}

// mapped makes a device of device-mapper with a table, which is open.
func (r *rig) mapped(name, dmName string, t table.Table, status string, on ...string) {
	r.t.Helper()
	r.stack(name, on...)
	r.write("sys/class/block/"+name+"/dm/name", dmName+"\n")
	r.write("sys/class/block/"+name+"/dm/uuid", "LVM-"+dmName+"\n")
	one := dmDevice{table: t, open: 1}
	for _, l := range t {
		one.status = append(one.status, dm.Status{Start: l.Start, Length: l.Length, Type: l.Target.Type(), Text: status})
	}
	r.maps[dmName] = one
}

// linear makes one on a single device.
func (r *rig) linear(name, dmName, on string) {
	r.t.Helper()
	r.mapped(name, dmName, table.Table{{Length: 8, Target: table.Linear{Dev: *r.number(on)}}}, "", on)
}

// mounted mounts devices.
func (r *rig) mounted(names ...string) {
	r.t.Helper()
	text := ""
	for i, name := range names {
		text += fmt.Sprintf("%d 1 %s / /mnt%d rw - ext4 /dev/%s rw\n", 20+i, r.number(name), i, name)
	}
	r.write("proc/1/mountinfo", text)
}

// exported has the kernel's target export a device.
func (r *rig) exported(name string) {
	r.t.Helper()
	n := r.number(name)
	r.write("sys/kernel/config/target/core/iblock_0/one/info", fmt.Sprintf("Status: ACTIVATED  Max Queue Depth: 0  SectorSize: 512  HwMaxSectors: 8192\n"+
		"        iBlock device: %s  UDEV PATH: /dev/x  readonly: 0\n        Major: %d Minor: %d  CLAIMED: IBLOCK\n", name, n.Major, n.Minor))
	r.write("sys/kernel/config/target/core/iblock_0/off/info", "Status: DEACTIVATED  Max Queue Depth: 0  SectorSize: 0  HwMaxSectors: 0\n        readonly: 0\n        ")
}

// opened has a program open a file, with flags of the kernel.
func (r *rig) opened(path string, flags int) {
	r.t.Helper()
	for fd, to := range []string{"/dev/null", "socket:[7]", path} {
		if err := errors.Join(os.MkdirAll(filepath.Join(r.dir, "proc/321/fd"), 0o755), os.Symlink(to, filepath.Join(r.dir, "proc/321/fd", fmt.Sprint(fd)))); err != nil {
			r.t.Fatal(err)
		}
		r.write(fmt.Sprintf("proc/321/fdinfo/%d", fd), fmt.Sprintf("pos:\t0\nflags:\t0%o\nmnt_id:\t25\n", flags))
	}
}

// rule is the rule for the rig.
func (r *rig) rule() *Rule {
	return &Rule{Sys: filepath.Join(r.dir, "sys"), Proc: filepath.Join(r.dir, "proc"), Maps: r}
}

func (r *rig) Table(name string) (table.Table, error) {
	if d, ok := r.maps[name]; ok && d.table != nil {
		return d.table, nil
	}
	return nil, errors.New("unknown type")
}

func (r *rig) Status(name string) ([]dm.Status, error) { return r.maps[name].status, nil }

func (r *rig) Info(name string) (dm.Info, error) { return dm.Info{Open: r.maps[name].open}, nil }
