package md

import (
	"encoding/binary"
	"io"
)

// foreign returns an *UnsupportedError for the formats that are not read, ErrNone for none. All are
// at the end of the device.
func foreign(r io.ReaderAt, size int64) error {
	const (
		reserved = 64 << 10   // of version 0.90: it is in the last whole 64 KiB
		ddfMagic = 0xde11de11 // SNIA Common RAID DDF 2.0, section 4.2: the anchor header
		imsm     = "Intel Raid ISM Cfg Sig. "
	)
	for _, f := range []struct {
		at   int64
		is   func(b []byte) bool
		what string
	}{
		{size&^(reserved-1) - reserved, func(b []byte) bool {
			le, be := binary.LittleEndian, binary.BigEndian
			return le.Uint32(b) == magic && le.Uint32(b[majorAt:]) == 0 || be.Uint32(b) == magic && be.Uint32(b[majorAt:]) == 0
		}, "superblock 0.90: convert it once with mdadm --assemble --update=metadata"},
		{
			size - 2*sectorSize, func(b []byte) bool { return string(b[:len(imsm)]) == imsm },
			"Intel's firmware RAID (IMSM): make the array anew with mdadm --create --metadata=1.2",
		},
		{
			size - sectorSize, func(b []byte) bool { return binary.BigEndian.Uint32(b) == ddfMagic },
			"a RAID controller's format (DDF): make the array anew with mdadm --create --metadata=1.2",
		},
	} {
		b := make([]byte, sectorSize)
		if f.at < 0 {
			continue
		}
		if err := readFull(r, b, f.at); err != nil {
			return err
		}
		if f.is(b) {
			return &UnsupportedError{What: f.what}
		}
	}
	return ErrNone
}
