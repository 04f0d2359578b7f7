package blockdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrNoFilesystem says that no file system that we know was found.
var ErrNoFilesystem = errors.New("no file system that is supported (ext2, ext3, ext4)")

// Filesystem is what a superblock tells.
type Filesystem struct {
	Type string // "ext2", "ext3", "ext4": the name to mount it by
}

// ProbeDevice is Probe on a device node.
func ProbeDevice(path string) (Filesystem, error) {
	f, err := os.Open(path)
	if err != nil {
		return Filesystem{}, fmt.Errorf("probe %s: %w", path, err)
	}
	defer func() { _ = f.Close() }()
	fsys, err := Probe(f)
	if err != nil {
		return fsys, fmt.Errorf("probe %s: %w", path, err)
	}
	return fsys, nil
}

// Layout of the ext superblock (fs/ext4/ext4.h: struct ext4_super_block), which
// begins at byte 1024 whatever the block size.
const (
	extOffset     = 1024
	extMagic      = 0xef53 // #define EXT4_SUPER_MAGIC 0xEF53 (include/uapi/linux/magic.h)
	extMagicAt    = 0x38   // __le16 s_magic
	extCompatAt   = 0x5c   // __le32 s_feature_compat
	extIncompatAt = 0x60   // __le32 s_feature_incompat
	extROCompatAt = 0x64   // __le32 s_feature_ro_compat
	extEnd        = 0x68

	extHasJournal = 0x0004 // #define EXT4_FEATURE_COMPAT_HAS_JOURNAL 0x0004
	extJournalDev = 0x0008 // #define EXT4_FEATURE_INCOMPAT_JOURNAL_DEV 0x0008

	// What the ext3 driver knew; anything beyond is ext4.
	//
	//	#define EXT3_FEATURE_INCOMPAT_SUPP (FILETYPE|RECOVER|META_BG)
	//	#define EXT3_FEATURE_RO_COMPAT_SUPP (SPARSE_SUPER|LARGE_FILE|BTREE_DIR)
	ext3Incompat = 0x0002 | 0x0004 | 0x0010
	ext3ROCompat = 0x0001 | 0x0002 | 0x0004
)

// Probe reads a superblock. It returns ErrNoFilesystem where there is none that
// we know, also where the device is too small to hold one.
func Probe(r io.ReaderAt) (Filesystem, error) {
	var sb [extEnd]byte
	if _, err := r.ReadAt(sb[:], extOffset); errors.Is(err, io.EOF) {
		return Filesystem{}, ErrNoFilesystem
	} else if err != nil {
		return Filesystem{}, err
	}
	if binary.LittleEndian.Uint16(sb[extMagicAt:]) != extMagic {
		return Filesystem{}, ErrNoFilesystem
	}
	compat := binary.LittleEndian.Uint32(sb[extCompatAt:])
	incompat := binary.LittleEndian.Uint32(sb[extIncompatAt:])
	roCompat := binary.LittleEndian.Uint32(sb[extROCompatAt:])
	switch {
	case incompat&extJournalDev != 0:
		return Filesystem{}, ErrNoFilesystem // another file system's journal
	case incompat&^ext3Incompat != 0 || roCompat&^ext3ROCompat != 0:
		return Filesystem{Type: "ext4"}, nil
	case compat&extHasJournal != 0:
		return Filesystem{Type: "ext3"}, nil
	}
	return Filesystem{Type: "ext2"}, nil
}
