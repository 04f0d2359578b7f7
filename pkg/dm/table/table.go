// Package table holds device-mapper tables as values: what a dm device is made of, in the text form
// that the kernel reads and prints (Documentation/admin-guide/device-mapper). It makes no system
// call. What loads a table is pkg/dm.
package table

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// SectorSize is the unit of all lengths and offsets of device-mapper, in bytes
// (include/linux/types.h: SECTOR_SIZE).
const SectorSize = 512

// Limits of the kernel (drivers/md/dm-core.h: DM_MAX_TARGETS, DM_MAX_TARGET_PARAMS;
// include/uapi/linux/dm-ioctl.h: DM_MAX_TYPE_NAME counts the NUL).
const (
	maxTargets = 1 << 20
	maxParams  = 1024 // on average: the product limits the whole buffer
	maxType    = 15
)

// Number names a block device by its numbers, as dev_t does.
type Number struct{ Major, Minor uint32 }

// String returns "8:16", which the kernel takes in the place of a path.
func (n Number) String() string {
	return strconv.FormatUint(uint64(n.Major), 10) + ":" + strconv.FormatUint(uint64(n.Minor), 10)
}

// Limits of the kernel's dev_t (include/linux/kdev_t.h: MINORBITS).
const (
	majorBits = 12
	minorBits = 20
)

// ParseNumber reads "8:16". The error is strconv's or errForm.
func ParseNumber(text string) (Number, error) {
	major, minor, ok := strings.Cut(text, ":")
	if !ok {
		return Number{}, fmt.Errorf("device %q: %w", text, errForm)
	}
	x, err := strconv.ParseUint(major, 10, majorBits)
	y, err2 := strconv.ParseUint(minor, 10, minorBits)
	if err := errors.Join(err, err2); err != nil {
		return Number{}, fmt.Errorf("device %q: %w", text, err)
	}
	return Number{uint32(x), uint32(y)}, nil
}

// errForm is a text that is not of the form that the kernel prints.
var errForm = errors.New("not of the kernel's form")

// Target is what a range of a dm device does. Other packages may have targets of their own.
type Target interface {
	// Type is the name of the kernel's target, at most 15 bytes: "linear".
	Type() string
	// Params are the target's parameters, separated by single spaces.
	Params() string
}

// Line is one range of a table. Start and Length are in sectors of 512 bytes.
type Line struct {
	Start, Length uint64
	Target        Target
}

// String returns the line as dmsetup(8) prints it: "0 2048 linear 8:16 384".
func (l Line) String() string {
	text := strconv.FormatUint(l.Start, 10) + " " + strconv.FormatUint(l.Length, 10) + " " + l.Target.Type()
	if p := l.Target.Params(); p != "" {
		text += " " + p
	}
	return text
}

// Table is a whole device: its lines follow each other without a gap from sector 0.
type Table []Line

// String returns the lines, each with a line feed behind it.
func (t Table) String() string {
	var b strings.Builder
	for _, l := range t {
		b.WriteString(l.String() + "\n")
	}
	return b.String()
}

// Sectors is the size of the device.
func (t Table) Sectors() uint64 {
	var n uint64
	for _, l := range t {
		n += l.Length
	}
	return n
}

// Validate returns an error if the kernel would refuse the table, or read another than this one.
// Whether the devices exist and are large enough only the kernel can tell.
func (t Table) Validate() error {
	if len(t) == 0 || len(t) > maxTargets {
		return fmt.Errorf("table of %d lines: not 1 to %d", len(t), maxTargets)
	}
	var at uint64
	size := 0
	for i, l := range t {
		if err := l.validate(at); err != nil {
			return fmt.Errorf("table line %d: %w", i+1, err)
		}
		at += l.Length
		size += len(l.Target.Params())
	}
	if size > maxTargets*maxParams/2 { // the other half is for the headers
		return fmt.Errorf("table: parameters of %d bytes are too long", size)
	}
	return nil
}

// validate looks at a line which has to begin at a sector.
func (l Line) validate(at uint64) error {
	// The kernel counts in bytes as well, in an int64 (loff_t).
	const maxSectors = 1 << 63 / SectorSize
	switch {
	case l.Start != at:
		return fmt.Errorf("begins at sector %d, not at %d", l.Start, at)
	case l.Length == 0 || l.Length >= maxSectors-l.Start:
		return fmt.Errorf("length of %d sectors", l.Length)
	case l.Target == nil:
		return errors.New("no target")
	}
	kind, params := l.Target.Type(), l.Target.Params()
	if kind == "" || len(kind) > maxType || strings.ContainsAny(kind, "\x00 /") {
		return fmt.Errorf("type %q", kind)
	}
	if strings.Contains(params, "\x00") {
		return fmt.Errorf("%s: NUL in the parameters", kind)
	}
	if v, ok := l.Target.(interface{ validate() error }); ok {
		if err := v.validate(); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}
