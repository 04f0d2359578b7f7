package md

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// ErrNone is returned for a device that has no superblock.
var ErrNone = errors.New("no md superblock")

const (
	sectorSize = 512
	blockSize  = 4096             // what the kernel reads of a superblock
	minSize    = 24 * sectorSize  // the least device that mdadm takes (super1.c: load_super1)
	maxDisks   = (4096 - 256) / 2 // as many roles as fit
	headerLen  = 256              // before the roles
	magic      = 0xa92b4efc       // MD_SB_MAGIC
	noOffset   = math.MaxUint64   // the kernel's MaxSector
)

// struct mdp_superblock_1 of md_p.h, little-endian.
const (
	majorAt          = 4
	featuresAt       = 8
	setAt            = 16
	nameAt           = 32
	nameLen          = 32
	createdAt        = 64
	levelAt          = 72
	layoutAt         = 76
	sectorsAt        = 80
	chunkAt          = 88
	disksAt          = 92
	deltaAt          = 112
	newOffsetAt      = 124
	dataOffsetAt     = 128
	dataSectorsAt    = 136
	superOffsetAt    = 144
	numberAt         = 160
	deviceAt         = 168
	eventsAt         = 200
	resyncOffsetAt   = 208
	checksumAt       = 216
	maxDevAt         = 220
	createdSecondsIn = 1<<40 - 1 // MD_SUPERBLOCK_1_TIME_SEC_MASK
)

// places returns the sector of the superblock for each minor version, on a device of so many
// sectors (md.c: super_1_load).
func places(sectors uint64) [3]uint64 { return [3]uint64{(sectors - 16) &^ 7, 0, 8} }

// Read reads the superblock of a device of so many bytes. The error is ErrNone where there is none,
// and an *UnsupportedError for an array that cannot be started here; if that one is of version 1,
// its superblock is returned too. Other errors are a damaged superblock, or the reader's.
//
// A superblock names the sector that it is on, counted from the start of its device. So that of a
// partition which ends where the disk ends is not taken for the disk's.
func Read(r io.ReaderAt, size int64) (Superblock, error) {
	if size < minSize {
		return Superblock{}, ErrNone
	}
	var best *Superblock
	var damaged error
	for minor, at := range places(uint64(size / sectorSize)) {
		b := make([]byte, blockSize)
		if err := readFull(r, b, int64(at*sectorSize)); err != nil {
			return Superblock{}, err
		}
		if !isSuperblock(b, at) {
			continue
		}
		s, err := parse(b, minor, uint64(size/sectorSize))
		switch {
		case err != nil:
			damaged = fmt.Errorf("md superblock 1.%d: %w", minor, err)
		case best == nil || s.over(best):
			best = s
		}
	}
	if best != nil {
		return *best, best.refused()
	}
	if damaged != nil {
		return Superblock{}, damaged
	}
	return Superblock{}, foreign(r, size)
}

// over chooses between two superblocks on one device. One of them is left of an earlier use, and
// the newer one counts, as for mdadm (super1.c: load_super1). Or one at the start is a part of the
// content of the array that the one at the end belongs to: then its data end before that one.
func (s *Superblock) over(other *Superblock) bool {
	inside := other.Minor == 0 && s.DataOffset+s.DataSectors <= other.DataOffset+other.DataSectors
	return !inside && s.Created > other.Created
}

// isSuperblock reports whether a block is a superblock of version 1 that belongs to this sector.
func isSuperblock(b []byte, at uint64) bool {
	le := binary.LittleEndian
	return le.Uint32(b) == magic && le.Uint32(b[majorAt:]) == 1 && le.Uint64(b[superOffsetAt:]) == at
}

// parse reads a superblock of a device of so many sectors.
func parse(b []byte, minor int, sectors uint64) (*Superblock, error) {
	le := binary.LittleEndian
	n := le.Uint32(b[maxDevAt:])
	if n > maxDisks {
		return nil, fmt.Errorf("%d roles, more than %d", n, maxDisks)
	}
	if !Intact(b) {
		return nil, errors.New("wrong checksum")
	}
	s := &Superblock{
		Minor:        minor,
		Set:          UUID(b[setAt:]),
		Name:         text(b[nameAt : nameAt+nameLen]),
		Created:      le.Uint64(b[createdAt:]) & createdSecondsIn,
		Level:        Level(int32(le.Uint32(b[levelAt:]))),
		Layout:       le.Uint32(b[layoutAt:]),
		Sectors:      le.Uint64(b[sectorsAt:]),
		ChunkSectors: le.Uint32(b[chunkAt:]),
		Events:       le.Uint64(b[eventsAt:]),
		Clean:        le.Uint64(b[resyncOffsetAt:]) == noOffset,
		Features:     Feature(le.Uint32(b[featuresAt:])),
		Device:       UUID(b[deviceAt:]),
		Number:       le.Uint32(b[numberAt:]),
		DataOffset:   le.Uint64(b[dataOffsetAt:]),
		DataSectors:  le.Uint64(b[dataSectorsAt:]),
	}
	for i := range n {
		s.Roles = append(s.Roles, le.Uint16(b[headerLen+2*i:]))
	}
	disks, delta := le.Uint32(b[disksAt:]), int32(0)
	if s.has(FeatureReshape) {
		delta = int32(le.Uint32(b[deltaAt:]))
	}
	if disks == 0 || disks > maxDisks || delta > maxDisks || delta < -maxDisks {
		return nil, fmt.Errorf("%d slots, %d more to come", disks, delta)
	}
	s.Disks, s.Delta = int(disks), int(delta)
	if s.refused() != nil {
		return s, nil // its fields may have other limits
	}
	return s, s.check(sectors)
}

// BlockSize is how long a superblock of version 1 is at most, in bytes.
const BlockSize = blockSize

// Intact reports whether the checksum of a superblock of version 1 is right, which begins a block
// of BlockSize.
func Intact(block []byte) bool {
	if len(block) < BlockSize {
		return false
	}
	n := binary.LittleEndian.Uint32(block[maxDevAt:])
	return n <= maxDisks && binary.LittleEndian.Uint32(block[checksumAt:]) == checksum(block[:headerLen+2*n])
}

// text returns what stands before the first NUL.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// checksum adds up the words, a last half of one too, and folds the sum (md.c: calc_sb_1_csum). The
// checksum's own word counts as zero.
func checksum(b []byte) uint32 {
	var sum uint64
	for i := 0; i+4 <= len(b); i += 4 {
		if i != checksumAt {
			sum += uint64(binary.LittleEndian.Uint32(b[i:]))
		}
	}
	if len(b)%4 == 2 {
		sum += uint64(binary.LittleEndian.Uint16(b[len(b)-2:]))
	}
	return uint32(sum) + uint32(sum>>32)
}

// readFull reads all of b, or returns an error.
func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(b), at, err)
}
