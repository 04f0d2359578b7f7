package blockdev

import "encoding/binary"

// Layout of the ext superblock (fs/ext4/ext4.h: struct ext4_super_block), which begins at byte 1024
// for any block size.
const (
	extOffset     = 1024
	extInodesAt   = 0x00 // __le32 s_inodes_count
	extBlocksAt   = 0x04 // __le32 s_blocks_count_lo
	extBlockLogAt = 0x18 // __le32 s_log_block_size
	extMagicAt    = 0x38 // __le16 s_magic: EXT4_SUPER_MAGIC 0xEF53
	extStateAt    = 0x3a // __le16 s_state
	extCompatAt   = 0x5c // __le32 s_feature_compat
	extIncompatAt = 0x60 // __le32 s_feature_incompat
	extROCompatAt = 0x64 // __le32 s_feature_ro_compat
	extUUIDAt     = 0x68 // __u8 s_uuid[16]
	extLabelAt    = 0x78 // char s_volume_name[16]
	extEnd        = 0x88

	extMaxBlockLog = 6 // 64 KiB (fs/ext4/ext4.h: EXT4_MAX_BLOCK_LOG_SIZE 16)

	extValid  = 0x0001 // #define EXT4_VALID_FS 0x0001: unmounted cleanly
	extErrors = 0x0002 // #define EXT4_ERROR_FS 0x0002: errors detected

	extHasJournal = 0x0004 // #define EXT4_FEATURE_COMPAT_HAS_JOURNAL 0x0004
	extRecover    = 0x0004 // #define EXT4_FEATURE_INCOMPAT_RECOVER 0x0004
	extJournalDev = 0x0008 // #define EXT4_FEATURE_INCOMPAT_JOURNAL_DEV 0x0008

	// The features of the ext3 driver; a file system with others is ext4.
	//
	//	#define EXT3_FEATURE_INCOMPAT_SUPP (FILETYPE|RECOVER|META_BG)
	//	#define EXT3_FEATURE_RO_COMPAT_SUPP (SPARSE_SUPER|LARGE_FILE|BTREE_DIR)
	ext3Incompat = 0x0002 | 0x0004 | 0x0010
	ext3ROCompat = 0x0001 | 0x0002 | 0x0004
)

// parseExt also checks other fields, because a magic of two bytes may match by chance.
func parseExt(d *image) (Filesystem, bool) {
	sb := d.at(extOffset, extEnd)
	if sb == nil {
		return Filesystem{}, false
	}
	le := binary.LittleEndian
	if le.Uint32(sb[extBlockLogAt:]) > extMaxBlockLog || le.Uint32(sb[extBlocksAt:]) == 0 {
		return Filesystem{}, false
	}
	compat := le.Uint32(sb[extCompatAt:])
	incompat := le.Uint32(sb[extIncompatAt:])
	roCompat := le.Uint32(sb[extROCompatAt:])
	fsys := Filesystem{
		Type:  "ext2",
		UUID:  uuid(sb[extUUIDAt : extUUIDAt+16]),
		Label: text(sb[extLabelAt : extLabelAt+16]),
	}
	switch {
	case incompat&extJournalDev != 0:
		fsys.Type = "jbd" // another file system's journal
		return fsys, true
	case le.Uint32(sb[extInodesAt:]) == 0:
		return Filesystem{}, false
	case incompat&^ext3Incompat != 0 || roCompat&^ext3ROCompat != 0:
		fsys.Type = "ext4"
	case compat&extHasJournal != 0:
		fsys.Type = "ext3"
	}
	fsys.Dirty = extDirty(le.Uint16(sb[extStateAt:]), compat, incompat)
	return fsys, true
}

func extDirty(state uint16, compat, incompat uint32) string {
	switch {
	case state&extErrors != 0:
		return "has recorded errors: check it at the target with e2fsck"
	case incompat&extRecover != 0:
		return "was not unmounted cleanly: mounting it replays its journal"
	case state&extValid == 0 && compat&extHasJournal == 0:
		return "was not unmounted cleanly and has no journal: check it at the target with e2fsck"
	}
	return ""
}
