package blockdev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// Kind is the kind of a block device.
type Kind int

// The kinds of block devices.
const (
	KindDisk Kind = iota
	KindPartition
	KindDM // of device-mapper: a volume, and all that the kinds below do not name
	KindMD // an md array
	// KindMultipath is a multipath map: a disk, whose Parents are its paths. Its partitions are
	// of KindPartition, and have a Map.
	KindMultipath
)

// Number is a device's number.
type Number struct{ Major, Minor uint32 }

// Device is a block device of any kind.
type Device struct {
	Name       string // "sda2"
	Number     Number
	Size       int64 // bytes; 0: not ready
	SectorSize int64 // of a logical block, in bytes; 0: not known
	ReadOnly   bool
	Kind       Kind
	Map        string            // the name in device-mapper: of KindDM, KindMultipath and the latter's partitions
	Array      *bootspec.ArrayID // of an md array that a search has started: its names
	// Parents are the devices below it: a partition's disk, the slaves of a map or an array. A
	// disk has none.
	Parents []*Device

	LUN       *LUN       // of a disk of an iSCSI session; nil: it is of no session
	Partition *Partition // of a partition: its place in its parent's table

	// The fields below are set by Inspect.

	// IDs are the names that a disk has below /dev/disk/by-id, by page 0x83 of its vital
	// product data.
	IDs     []string
	Content *Content

	table       []Partition // on the device
	memberAtEnd bool        // it is a member of an md array, whose contents its start seems to have
}

// Path is the device's node, or the link to it that udev makes for a device of device-mapper: mount
// shows that name.
func (d *Device) Path() string {
	if d.Map != "" {
		return "/dev/mapper/" + d.Map
	}
	return "/dev/" + d.Name
}

// Disks returns the disks below a device, or the device itself if it is a disk: they are found by
// Parents. Below a multipath map they are its paths.
func (d *Device) Disks() []*Device { return d.below(func(*Device) bool { return false }) }

// Units returns the same with multipath maps in the place of their paths: each is one disk, for all
// that stands on it.
func (d *Device) Units() []*Device {
	return d.below(func(d *Device) bool { return d.Kind == KindMultipath })
}

// below returns the lowest devices below a device, and those where it is to end, each once.
func (d *Device) below(end func(*Device) bool) []*Device {
	if len(d.Parents) == 0 || end(d) {
		return []*Device{d}
	}
	var out []*Device
	for _, p := range d.Parents {
		for _, disk := range p.below(end) {
			if !disk.In(out) {
				out = append(out, disk)
			}
		}
	}
	return out
}

// In reports whether a list has the device; names are unique.
func (d *Device) In(list []*Device) bool { return has(list, d.Name) }

// On reports whether the device is the one of that name, or is above it.
func (d *Device) On(name string) bool {
	return d.Name == name || slices.ContainsFunc(d.Parents, func(p *Device) bool { return p.On(name) })
}

func has(list []*Device, name string) bool {
	return slices.ContainsFunc(list, func(d *Device) bool { return d.Name == name })
}

// number is a partition's number, 0 of any other device.
func (d *Device) number() int {
	if d.Partition == nil {
		return 0
	}
	return d.Partition.Number
}

// PartitionOf reports whether the device is that partition of a device, or the device itself for
// number 0.
func (d *Device) PartitionOf(whole *Device, number int) bool {
	if number == 0 {
		return d.Name == whole.Name
	}
	return d.number() == number && has(d.Parents, whole.Name)
}

// maxDepth is how deep a stack of devices is followed.
const maxDepth = 8

// Read reads a device and the devices below it. sys is the mount point of sysfs.
func Read(sys, name string) (*Device, error) { return read(sys, name, maxDepth) }

func read(sys, name string, depth int) (*Device, error) {
	dir := filepath.Join(sys, "class/block", name)
	link, err := os.Readlink(dir) // .../session1/target2:0:0/2:0:0:1/block/sda/sda2
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return nil, fmt.Errorf("read device %s: %w", name, err)
	}
	d := readAttributes(dir)
	if n, ok := readNumber(filepath.Join(dir, "partition")); ok && err == nil {
		parent, perr := read(sys, filepath.Base(filepath.Dir(link)), depth-1)
		if perr != nil {
			return nil, perr
		}
		d.partition(parent, n, dir)
		return d, nil
	}
	if d.LUN = lunOfDisk(link); d.LUN == nil && depth > 0 {
		d.readSlaves(sys, dir, depth)
	}
	return d, nil
}

// readSlaves finds what a map or an array is made of (block/holder.c: bd_link_disk_holder).
func (d *Device) readSlaves(sys, dir string, depth int) {
	for _, k := range []struct {
		dir  string
		kind Kind
	}{{"dm", KindDM}, {"md", KindMD}} {
		if _, err := os.Stat(filepath.Join(dir, k.dir)); err == nil {
			d.Kind = k.kind
		}
	}
	if d.Kind == KindDM {
		d.Map = readText(filepath.Join(dir, "dm/name"))
		d.ofMultipath(readText(filepath.Join(dir, "dm/uuid")))
	}
	slaves, err := os.ReadDir(filepath.Join(dir, "slaves"))
	if d.Kind == KindDisk || err != nil {
		return
	}
	for _, e := range slaves {
		if parent, err := read(sys, e.Name(), depth-1); err == nil {
			d.Parents = append(d.Parents, parent)
		}
	}
}

// partition makes a device the n-th partition of another.
func (d *Device) partition(parent *Device, n int, dir string) {
	start, _ := readNumber(filepath.Join(dir, "start"))
	d.Kind, d.Parents, d.SectorSize = KindPartition, []*Device{parent}, parent.SectorSize
	d.Partition = &Partition{Number: n, Start: int64(start) * 512, Size: d.Size}
}

// readAttributes reads a device's directory. The size is in sectors of 512 bytes there, for any
// sector size of the disk.
func readAttributes(dir string) *Device {
	d := &Device{Name: filepath.Base(dir)}
	size, _ := readNumber(filepath.Join(dir, "size"))
	sector, _ := readNumber(filepath.Join(dir, "queue/logical_block_size"))
	ro, _ := readNumber(filepath.Join(dir, "ro"))
	d.Size, d.SectorSize, d.ReadOnly = int64(size)*512, int64(sector), ro == 1
	major, minor, _ := strings.Cut(readAttribute(filepath.Join(dir, "dev")), ":")
	ma, err1 := strconv.ParseUint(major, 10, 32)
	mi, err2 := strconv.ParseUint(minor, 10, 32)
	if err1 == nil && err2 == nil {
		d.Number = Number{uint32(ma), uint32(mi)}
	}
	return d
}

func readNumber(path string) (int, bool) {
	n, err := strconv.Atoi(readAttribute(path))
	return n, err == nil
}

// maxAttribute is more than a number of sysfs has, in bytes.
const maxAttribute = 64

// readAttribute reads a short attribute of sysfs, "" if it cannot. One read is all of it
// (fs/kernfs/file.c: kernfs_fop_read_iter). A boot reads some fifty: os.ReadFile takes twice as
// many system calls for each.
func readAttribute(path string) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer func() { _ = unix.Close(fd) }()
	var b [maxAttribute]byte
	n, err := unix.Read(fd, b[:])
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b[:n]))
}

// readText reads an attribute of any length, "" if it cannot.
func readText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}
