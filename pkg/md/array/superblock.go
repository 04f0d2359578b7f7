package array

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// What ReAdd reads of a superblock of version 1 itself (include/uapi/linux/raid/md_p.h: struct
// mdp_superblock_1), in bytes.
const (
	superblockMagic = 0xa92b4efc
	setUUIDAt       = 16
	devFlagsAt      = 184
	writeMostly1    = 1 << 0
	failFast1       = 1 << 1
	sectorSize      = 512
)

// ErrNotMember is wrapped by the error of ReAdd and Add if the device has no superblock of the
// array.
var ErrNotMember = errors.New("no superblock of this array")

// formerFlags returns the flags of a former member by its superblock, as ADD_NEW_DISK has them: the
// kernel takes those of the request in place of the superblock's. It takes a member of another
// array as well, and would rebuild it, or take its content for this array's (drivers/md/md.c:
// md_add_new_disk), so that is an error here.
func (p Paths) formerFlags(name string, m Number) (int32, error) {
	version, err := readText(filepath.Join(p.md(name), "metadata_version"))
	if err != nil {
		return 0, err
	}
	b, err := p.superblock(m, version)
	if err != nil {
		return 0, err
	}
	set, err := readText(filepath.Join(p.md(name), "uuid"))
	if err != nil {
		return 0, err
	}
	if strings.ReplaceAll(set, "-", "") != hex.EncodeToString(b[setUUIDAt:setUUIDAt+16]) {
		return 0, ErrNotMember
	}
	var flags int32
	if b[devFlagsAt]&writeMostly1 != 0 {
		flags |= diskWriteMostly
	}
	if b[devFlagsAt]&failFast1 != 0 {
		flags |= diskFailFast
	}
	return flags, nil
}

// superblock reads the first sector of a member's superblock of a version.
func (p Paths) superblock(m Number, version string) ([]byte, error) {
	dir := filepath.Join(p.Sys, "dev/block", m.String())
	link, err := os.Readlink(dir)
	if err != nil {
		return nil, err
	}
	size, err := readText(filepath.Join(dir, "size"))
	if err != nil {
		return nil, err
	}
	sectors, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("size: %w", err)
	}
	at, ok := map[string]int64{"1.0": (sectors - 16) &^ 7, "1.1": 0, "1.2": 8}[version]
	if !ok {
		return nil, fmt.Errorf("version %q: %w", version, ErrNotMember)
	}
	f, err := os.Open(filepath.Join(p.Dev, filepath.Base(link)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, sectorSize)
	if _, err := f.ReadAt(b, at*sectorSize); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(b) != superblockMagic {
		return nil, ErrNotMember
	}
	return b, nil
}
