package blockdev

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// ISO 9660 volume descriptors are sectors of 2048 bytes from the 17th on (ECMA-119 section 8).
const (
	isoOffset      = 16 * isoSector
	isoSector      = 2048
	isoDescriptors = 16 // that are read
)

// Types of volume descriptors, and Joliet's place of its escape sequences.
const (
	isoPrimary    = 1
	isoSupplement = 2
	isoEscapesAt  = 88
)

// parseISO reads the primary volume descriptor (ECMA-119 section 8.4). The UUID is made from the
// time of change, or of creation, as by blkid.
func parseISO(d *image) (Filesystem, bool) {
	const (
		labelAt   = 40  // volume identifier, 32 bytes
		createdAt = 813 // 17 bytes: YYYYMMDDHHMMSScc and a zone
		changedAt = 830
	)
	vd := d.at(isoOffset, isoSector)
	if vd == nil || vd[0] != isoPrimary {
		return Filesystem{}, false
	}
	fsys := Filesystem{Type: "iso9660", Label: text(vd[labelAt : labelAt+32])}
	for _, at := range []int{changedAt, createdAt} {
		if fsys.UUID == "" {
			fsys.UUID = isoTime(string(vd[at : at+16]))
		}
	}
	// A Joliet label may have any character, but at most 16.
	cut := len(fsys.Label) > 16
	if j := jolietLabel(d); j != "" && !(cut && strings.HasPrefix(strings.ToUpper(fsys.Label), strings.ToUpper(j))) {
		fsys.Label = j
	}
	return fsys, true
}

func isoTime(s string) string {
	for _, c := range s {
		if c < '0' || c > '9' {
			return ""
		}
	}
	if strings.Trim(s, "0") == "" {
		return ""
	}
	return s[:4] + "-" + s[4:6] + "-" + s[6:8] + "-" + s[8:10] + "-" + s[10:12] + "-" + s[12:14] + "-" + s[14:]
}

// jolietLabel reads the volume identifier of a supplementary descriptor in UCS-2, big-endian.
func jolietLabel(d *image) string {
	for i := range int64(isoDescriptors) {
		vd := d.at(isoOffset+i*isoSector, isoSector)
		if vd == nil || string(vd[1:6]) != "CD001" {
			return ""
		}
		escape := string(vd[isoEscapesAt : isoEscapesAt+3])
		if vd[0] == isoSupplement && (escape == "%/@" || escape == "%/C" || escape == "%/E") {
			return text16(vd[40:72], binary.BigEndian.Uint16)
		}
	}
	return ""
}

// Layout of the FAT boot sector (fs/fat, include/uapi/linux/msdos_fs.h: struct fat_boot_sector).
const (
	fatMagicAt = 510
	fatRootMax = 64 << 10 // bytes of the root directory that are read
)

// fatLayout is the offsets of the fields after the common part, of FAT12 and FAT16, or of FAT32.
type fatLayout struct{ serialAt, labelAt, typeAt int }

// parseFAT recognizes a FAT by its type string, which every mkfs writes, and by valid sizes.
func parseFAT(d *image) (Filesystem, bool) {
	b := d.at(0, 512)
	if b == nil {
		return Filesystem{}, false
	}
	l := fatLayout{0x27, 0x2b, 0x36}
	if string(b[0x52:0x57]) == "FAT32" {
		l = fatLayout{0x43, 0x47, 0x52}
	} else if string(b[0x36:0x39]) != "FAT" {
		return Filesystem{}, false
	}
	le := binary.LittleEndian
	sector, cluster := uint32(le.Uint16(b[11:])), uint32(b[13])
	if !isSize(sector, 512, 4096) || !isSize(cluster, 1, 128) || le.Uint16(b[14:]) == 0 || b[16] == 0 || b[16] > 4 {
		return Filesystem{}, false
	}
	fsys := Filesystem{Type: "vfat"}
	if n := le.Uint32(b[l.serialAt:]); n != 0 {
		fsys.UUID = fmt.Sprintf("%04X-%04X", n>>16, n&0xffff)
	}
	if fsys.Label = fatRootLabel(d, b); fsys.Label == "" {
		if label := text(b[l.labelAt : l.labelAt+11]); label != "NO NAME" {
			fsys.Label = label
		}
	}
	return fsys, true
}

// fatRootLabel reads the label from the root directory; of FAT32 only from its first cluster,
// without following the FAT.
func fatRootLabel(d *image, b []byte) string {
	const (
		entrySize = 32
		attrAt    = 11
		// #define ATTR_VOLUME 8, ATTR_EXT 15 (msdos_fs.h): a long name's part
		attrVolume, attrLongName = 0x08, 0x0f
	)
	le := binary.LittleEndian
	sector := int64(le.Uint16(b[11:]))
	fatSize, entries := int64(le.Uint16(b[22:])), int64(le.Uint16(b[17:]))
	start, size := int64(0), entries*entrySize
	if fatSize == 0 {
		fatSize = int64(le.Uint32(b[36:]))
		cluster := int64(b[13]) * sector
		start, size = (int64(le.Uint32(b[44:]))-2)*cluster, cluster
	}
	start += (int64(le.Uint16(b[14:])) + int64(b[16])*fatSize) * sector
	dir := d.at(start, min(size, fatRootMax))
	for ; len(dir) >= entrySize && dir[0] != 0; dir = dir[entrySize:] {
		if dir[0] != 0xe5 && dir[attrAt]&attrLongName == attrVolume {
			return text(dir[:11])
		}
	}
	return ""
}

// The magic of swap space and its length.
const (
	swapMagic    = "SWAPSPACE2"
	swapMagicLen = 10
)

// parseSwap reads union swap_header (include/linux/swap.h).
func parseSwap(d *image) (Filesystem, bool) {
	const (
		versionAt = 1024 // __u32 version
		uuidAt    = 1036 // unsigned char sws_uuid[16]
		labelAt   = 1052 // unsigned char sws_volume[16]
	)
	h := d.at(0, 2048)
	if h == nil || binary.LittleEndian.Uint32(h[versionAt:]) != 1 && binary.BigEndian.Uint32(h[versionAt:]) != 1 {
		return Filesystem{}, false
	}
	return Filesystem{Type: "swap", UUID: uuid(h[uuidAt : uuidAt+16]), Label: text(h[labelAt : labelAt+16])}, true
}
