package table

import (
	"errors"
	"fmt"
)

// Area is a place on a device; Offset is in sectors.
type Area struct {
	Dev    Number
	Offset uint64
}

func (w *words) area(a Area) {
	w.dev(a.Dev)
	w.number(a.Offset)
}

// Linear maps a range onto one device (device-mapper/linear.rst).
type Linear Area

// Type implements [Target].
func (Linear) Type() string { return "linear" }

// Params implements [Target].
func (l Linear) Params() string {
	var w words
	w.area(Area(l))
	return w.String()
}

// Striped maps chunks onto devices in turn (device-mapper/striped.rst).
type Striped struct {
	Chunk   uint32 // sectors; the length is a multiple of it times the number of stripes
	Stripes []Area
}

// Type implements [Target].
func (Striped) Type() string { return "striped" }

// Params implements [Target].
func (s Striped) Params() string {
	var w words
	w.number(uint64(len(s.Stripes)))
	w.number(uint64(s.Chunk))
	for _, a := range s.Stripes {
		w.area(a)
	}
	return w.String()
}

func (s Striped) validate() error {
	if len(s.Stripes) == 0 || s.Chunk == 0 {
		return fmt.Errorf("%d stripes of %d sectors", len(s.Stripes), s.Chunk)
	}
	return nil
}

// Zero returns zeros, and drops what is written (device-mapper/zero.rst).
type Zero struct{}

// Type implements [Target].
func (Zero) Type() string { return "zero" }

// Params implements [Target].
func (Zero) Params() string { return "" }

// Error fails all I/O with EIO (drivers/md/dm-target.c: error_target). The kernel has it in dm_mod.
type Error struct{}

// Type implements [Target].
func (Error) Type() string { return "error" }

// Params implements [Target].
func (Error) Params() string { return "" }

// ThinPool gives blocks of Data to thin devices, and keeps in Meta which has which
// (device-mapper/thin-provisioning.rst). A pool whose metadata needs a check is read-only, whatever
// its table asks for (drivers/md/dm-thin.c: set_pool_mode).
type ThinPool struct {
	Meta, Data   Number
	BlockSectors uint32 // a multiple of 128, at most 2097152
	LowWater     uint64 // free blocks of Data below which the kernel sends an event; 0: never

	SkipZeroing       bool // new blocks are not zeroed
	IgnoreDiscard     bool // discards are refused
	NoDiscardPassdown bool // discards free blocks of the pool, and do not reach Data
	ReadOnly          bool // no change of the metadata
	ErrorIfNoSpace    bool // instead of waiting for more
}

// Limits of drivers/md/dm-thin.c (DATA_DEV_BLOCK_SIZE_MIN_SECTORS, _MAX_SECTORS) and
// drivers/md/dm-thin-metadata.h (THIN_MAX_... : device ids are of 24 bits).
const (
	minBlock  = 64 << 10 / SectorSize
	maxBlock  = 1 << 30 / SectorSize
	maxThinID = 1<<24 - 1
)

// Type implements [Target].
func (*ThinPool) Type() string { return "thin-pool" }

// Params implements [Target].
func (p *ThinPool) Params() string {
	var w, features words
	for _, f := range p.features() {
		if *f.value {
			features.word(f.word)
		}
	}
	w.dev(p.Meta)
	w.dev(p.Data)
	w.number(uint64(p.BlockSectors))
	w.number(p.LowWater)
	w.number(uint64(features.count))
	w.append(features)
	return w.String()
}

// feature is an optional word of a target.
type feature struct {
	word  string
	value *bool
}

// features lists them in the order in which the kernel prints them (drivers/md/dm-thin.c:
// emit_flags).
func (p *ThinPool) features() []feature {
	return []feature{
		{"skip_block_zeroing", &p.SkipZeroing},
		{"ignore_discard", &p.IgnoreDiscard},
		{"no_discard_passdown", &p.NoDiscardPassdown},
		{"read_only", &p.ReadOnly},
		{"error_if_no_space", &p.ErrorIfNoSpace},
	}
}

func (p *ThinPool) validate() error {
	switch {
	case p.Meta == p.Data:
		return errors.New("data and metadata on the same device")
	case p.BlockSectors < minBlock, p.BlockSectors > maxBlock, p.BlockSectors%minBlock != 0:
		return fmt.Errorf("blocks of %d sectors", p.BlockSectors)
	}
	return nil
}

// Thin is a device of a pool.
type Thin struct {
	Pool   Number
	ID     uint32  // less than 1<<24
	Origin *Number // a read-only device for blocks that the pool does not have; nil: none
}

// Type implements [Target].
func (Thin) Type() string { return "thin" }

// Params implements [Target].
func (t Thin) Params() string {
	var w words
	w.dev(t.Pool)
	w.number(uint64(t.ID))
	if t.Origin != nil {
		w.dev(*t.Origin)
	}
	return w.String()
}

func (t Thin) validate() error {
	if t.ID > maxThinID {
		return fmt.Errorf("device id %d is more than %d", t.ID, maxThinID)
	}
	if t.Origin != nil && *t.Origin == t.Pool {
		return errors.New("the origin is the pool")
	}
	return nil
}
