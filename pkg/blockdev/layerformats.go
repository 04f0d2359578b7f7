package blockdev

import (
	"encoding/binary"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// parseLUKS reads the header of LUKS1 and LUKS2 (LUKS1 On-Disk Format 1.2.3, LUKS2 On-Disk Format
// 1.1.0: binary header).
func parseLUKS(d *image) (Filesystem, bool) {
	const (
		versionAt = 6   // uint16, big-endian
		labelAt   = 24  // LUKS2: char label[48]
		uuidAt    = 168 // char uuid[40], in both
	)
	h := d.at(0, 512)
	if h == nil {
		return Filesystem{}, false
	}
	fsys := Filesystem{Type: "crypto_LUKS", UUID: text(h[uuidAt : uuidAt+40])}
	switch binary.BigEndian.Uint16(h[versionAt:]) {
	case 1:
	case 2:
		fsys.Label = text(h[labelAt : labelAt+48])
	default:
		return Filesystem{}, false
	}
	return fsys, true
}

// parseLVM looks for an LVM2 label in the first four sectors (lvm2: lib/label/label.h: struct
// label_header; pv_header begins with the UUID of 32 characters).
func parseLVM(d *image) (Filesystem, bool) {
	const (
		sectors  = 4
		sectorAt = 8  // uint64_t sector_xl: which one this is
		offsetAt = 20 // uint32_t offset_xl of the pv_header
		typeAt   = 24 // "LVM2 001"
	)
	for i := range int64(sectors) {
		h := d.at(i*512, 512)
		if h == nil || string(h[:8]) != "LABELONE" || string(h[typeAt:typeAt+8]) != "LVM2 001" ||
			binary.LittleEndian.Uint64(h[sectorAt:]) != uint64(i) {
			continue
		}
		fsys := Filesystem{Type: "LVM2_member"}
		if off := binary.LittleEndian.Uint32(h[offsetAt:]); off >= 32 && off <= 512-32 {
			id := string(h[off : off+32])
			fsys.UUID = id[:6] + "-" + id[6:10] + "-" + id[10:14] + "-" + id[14:18] + "-" + id[18:22] + "-" + id[22:26] + "-" + id[26:]
		}
		return fsys, true
	}
	return Filesystem{}, false
}

// mdMagic is the first word of every md superblock (include/uapi/linux/raid/md_p.h: #define
// MD_SB_MAGIC 0xa92b4efc).
const mdMagic = 0xa92b4efc

// Member is the Type of a member of an md array.
const Member = "linux_raid_member"

// parseMD searches the places of the versions of the md superblock: 1.1 at the start, 1.2 after 4
// KiB, 1.0 and 0.90 at the end, where the start of the device may hold a file system that could be
// mounted.
func parseMD(d *image) (Filesystem, bool) {
	for _, off := range []int64{0, 4096, lastMD(d.size)} {
		if fsys, ok := parseMD1(d, off); ok {
			return fsys, true
		}
	}
	return parseMD090(d)
}

// lastMD is the place of version 1.0, in bytes (drivers/md/md.c: super_1_load): 8 KiB before the
// end, rounded down to 4 KiB.
func lastMD(size int64) int64 { return (size/512 - 16) &^ 7 * 512 }

// OnMember reports whether a device is a partition that belongs to an md array, not to the disk
// that is its member: of version 1.0 the array's contents begin where the disk does, so the kernel
// shows the array's partitions there too. dev is the mount point of devtmpfs.
func (d *Device) OnMember(open Opener, dev string) bool {
	return d.Kind == KindPartition && len(d.Parents) > 0 && HasMemberAtEnd(open, filepath.Join(dev, d.Parents[0].Name))
}

// OnDamagedMember reports whether a device is a partition of a disk at whose end the superblock of
// such an array has a wrong checksum. No array starts with that disk, so its partitions are its
// own, as for udev (util-linux: libblkid/src/superblocks/linux_raid.c).
func (d *Device) OnDamagedMember(open Opener, dev string) bool {
	if d.Kind != KindPartition {
		return false
	}
	there, intact := memberAtEnd(open, filepath.Join(dev, d.Parents[0].Name))
	return there && !intact
}

// HasMemberAtEnd reports whether a device is a member of an md array of version 1.0, whose contents
// the device's start seems to have.
func HasMemberAtEnd(open Opener, path string) bool {
	there, intact := memberAtEnd(open, path)
	return there && intact
}

// memberAtEnd reports whether a device has a superblock of version 1.0, and whether its checksum is
// right.
func memberAtEnd(open Opener, path string) (there, intact bool) {
	f, err := open(path)
	if err != nil {
		return false, false
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return false, false
	}
	d := &image{r: f, size: size}
	if _, ok := parseMD1(d, lastMD(size)); !ok {
		return false, false
	}
	b := d.at(lastMD(size), md.BlockSize)
	return true, b == nil || md.Intact(b)
}

// parseMD1 reads struct mdp_superblock_1.
func parseMD1(d *image, off int64) (Filesystem, bool) {
	const (
		majorAt  = 4   // __le32 major_version
		uuidAt   = 16  // __u8 set_uuid[16]
		nameAt   = 32  // char set_name[32]
		offsetAt = 144 // __le64 super_offset, in sectors
	)
	sb := d.at(off, 256)
	le := binary.LittleEndian
	if sb == nil || le.Uint32(sb) != mdMagic || le.Uint32(sb[majorAt:]) != 1 || le.Uint64(sb[offsetAt:]) != uint64(off/512) {
		return Filesystem{}, false
	}
	return Filesystem{Type: Member, UUID: uuid(sb[uuidAt : uuidAt+16]), Label: text(sb[nameAt : nameAt+32])}, true
}

// parseMD090 reads mdp_super_t, in the byte order of the machine that made it: in the last whole 64
// KiB (md_p.h: #define MD_NEW_SIZE_SECTORS).
func parseMD090(d *image) (Filesystem, bool) {
	const (
		reserved = 64 << 10 // #define MD_RESERVED_BYTES (64 * 1024)
		majorAt  = 4        // __u32 major_version
		uuid0At  = 20       // __u32 set_uuid0
		uuid1At  = 52       // __u32 set_uuid1, 2, 3
	)
	sb := d.at(d.size&^(reserved-1)-reserved, 128)
	if sb == nil {
		return Filesystem{}, false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint32(sb) != mdMagic {
		order = binary.BigEndian
	}
	if order.Uint32(sb) != mdMagic || order.Uint32(sb[majorAt:]) != 0 {
		return Filesystem{}, false
	}
	var id [16]byte // words, most significant byte first
	for i, at := range []int{uuid0At, uuid1At, uuid1At + 4, uuid1At + 8} {
		binary.BigEndian.PutUint32(id[4*i:], order.Uint32(sb[at:]))
	}
	return Filesystem{Type: Member, UUID: uuid(id[:])}, true
}

// parseFirmwareRAID looks for the metadata of arrays that a firmware or a controller makes, in the
// last two sectors: what is before them is a copy, or a part, of what is in the array. IMSM's
// anchor is that of mdadm's super-intel.c, DDF's that of SNIA Common RAID DDF 2.0, section 4.2.
func parseFirmwareRAID(d *image) (Filesystem, bool) {
	const (
		imsm = "Intel Raid ISM Cfg Sig. "
		ddf  = "\xde\x11\xde\x11"
	)
	end := d.at(d.size&^511-1024, 1024)
	switch {
	case end == nil:
		return Filesystem{}, false
	case string(end[:len(imsm)]) == imsm:
		return Filesystem{Type: "isw_raid_member"}, true
	case string(end[512:512+len(ddf)]) == ddf:
		return Filesystem{Type: "ddf_raid_member"}, true
	}
	return Filesystem{}, false
}
