package blockdev

import (
	"encoding/binary"
	"math/bits"
)

// parseXFS reads struct xfs_dsb, big-endian (fs/xfs/libxfs/xfs_format.h).
func parseXFS(d *image) (Filesystem, bool) {
	const (
		blockSizeAt  = 4   // __be32 sb_blocksize
		uuidAt       = 32  // uuid_t sb_uuid
		sectorSizeAt = 102 // __be16 sb_sectsize
		labelAt      = 108 // char sb_fname[XFSLABEL_MAX], 12
	)
	sb := d.at(0, 512)
	if sb == nil {
		return Filesystem{}, false
	}
	block, sector := binary.BigEndian.Uint32(sb[blockSizeAt:]), uint32(binary.BigEndian.Uint16(sb[sectorSizeAt:]))
	if !isSize(block, 512, 64<<10) || !isSize(sector, 512, 32<<10) {
		return Filesystem{}, false
	}
	return Filesystem{Type: "xfs", UUID: uuid(sb[uuidAt : uuidAt+16]), Label: text(sb[labelAt : labelAt+12])}, true
}

// isSize reports whether n is a power of two from low to high.
func isSize(n, low, high uint32) bool { return n >= low && n <= high && bits.OnesCount32(n) == 1 }

// btrfsOffset is where the first copy of the superblock is (#define BTRFS_SUPER_INFO_OFFSET
// SZ_64K).
const btrfsOffset = 64 << 10

// parseBtrfs reads struct btrfs_super_block (include/uapi/linux/btrfs_tree.h).
func parseBtrfs(d *image) (Filesystem, bool) {
	const (
		uuidAt  = 32    // __u8 fsid[BTRFS_FSID_SIZE], 16
		logAt   = 0x60  // __le64 log_root
		labelAt = 0x12b // char label[BTRFS_LABEL_SIZE], 256
	)
	sb := d.at(btrfsOffset, 4096)
	if sb == nil {
		return Filesystem{}, false
	}
	fsys := Filesystem{Type: "btrfs", UUID: uuid(sb[uuidAt : uuidAt+16]), Label: text(sb[labelAt : labelAt+256])}
	if binary.LittleEndian.Uint64(sb[logAt:]) != 0 {
		fsys.Dirty = "was not unmounted cleanly: mounting it replays its log"
	}
	return fsys, true
}

// f2fs keeps two superblocks, one block of 4 KiB apart (#define F2FS_SUPER_OFFSET 1024,
// fs/f2fs/super.c: read_raw_super_block).
const (
	f2fsOffset = 1024
	f2fsBackup = 4096
)

const f2fsMagic = "\x10\x20\xf5\xf2" // #define F2FS_SUPER_MAGIC 0xF2F52010

func parseF2FS(d *image) (Filesystem, bool) { return parseF2FSAt(d, f2fsOffset) }

// parseF2FSBackup is for a device whose first copy is damaged.
func parseF2FSBackup(d *image) (Filesystem, bool) {
	if string(d.at(f2fsOffset, int64(len(f2fsMagic)))) == f2fsMagic {
		return Filesystem{}, false
	}
	return parseF2FSAt(d, f2fsOffset+f2fsBackup)
}

// parseF2FSAt reads struct f2fs_super_block (include/linux/f2fs_fs.h).
func parseF2FSAt(d *image, off int64) (Filesystem, bool) {
	const (
		uuidAt  = 108 // __u8 uuid[16]
		labelAt = 124 // __le16 volume_name[MAX_VOLUME_NAME], 512
		end     = labelAt + 2*512
	)
	sb := d.at(off, end)
	if sb == nil {
		return Filesystem{}, false
	}
	return Filesystem{
		Type: "f2fs", UUID: uuid(sb[uuidAt : uuidAt+16]),
		Label: text16(sb[labelAt:end], binary.LittleEndian.Uint16),
	}, true
}

// #define EROFS_SUPER_OFFSET 1024
const erofsOffset = 1024

// parseEROFS reads struct erofs_super_block (fs/erofs/erofs_fs.h).
func parseEROFS(d *image) (Filesystem, bool) {
	const (
		blockLogAt = 12 // __u8 blkszbits
		uuidAt     = 48 // __u8 uuid[16]
		labelAt    = 64 // __u8 volume_name[16]
	)
	sb := d.at(erofsOffset, 128)
	if sb == nil || sb[blockLogAt] < 9 || sb[blockLogAt] > 16 {
		return Filesystem{}, false
	}
	return Filesystem{Type: "erofs", UUID: uuid(sb[uuidAt : uuidAt+16]), Label: text(sb[labelAt : labelAt+16])}, true
}

// parseSquashfs reads struct squashfs_super_block (fs/squashfs/squashfs_fs.h): the kernel mounts
// version 4 only. It has neither UUID nor label.
func parseSquashfs(d *image) (Filesystem, bool) {
	const majorAt = 28 // __le16 s_major
	sb := d.at(0, 96)
	if sb == nil || binary.LittleEndian.Uint16(sb[majorAt:]) != 4 {
		return Filesystem{}, false
	}
	return Filesystem{Type: "squashfs"}, true
}
