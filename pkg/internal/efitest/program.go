// Package efitest makes EFI programs for tests.
package efitest

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"strings"
	"testing"
)

// Program returns an EFI program of one section, with room in its headers for more of them.
func Program(t testing.TB, section string, room int) []byte {
	t.Helper()
	const headers, align = 0x400, 0x200
	var b bytes.Buffer
	b.WriteString("MZ")
	b.Write(make([]byte, 0x3a))
	opt := pe.OptionalHeader64{
		Magic: 0x20b, ImageBase: 0x14df0000, SectionAlignment: 0x1000, FileAlignment: align, SizeOfImage: 0x3000,
		SizeOfHeaders: headers, CheckSum: 7, Subsystem: pe.IMAGE_SUBSYSTEM_EFI_APPLICATION, NumberOfRvaAndSizes: 16, SizeOfInitializedData: 100,
	}
	opt.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY] = pe.DataDirectory{VirtualAddress: 0x600, Size: 8}
	coff := headers - 40*(1+room) - binary.Size(opt) - 20
	for _, v := range []any{
		uint32(coff - 4), make([]byte, coff-4-0x40), []byte("PE\x00\x00"),
		pe.FileHeader{Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 1, SizeOfOptionalHeader: uint16(binary.Size(opt))},
		opt,
		pe.SectionHeader32{Name: [8]byte([]byte(section + "\x00\x00\x00")[:8]), VirtualSize: 0x1800, VirtualAddress: 0x1000, SizeOfRawData: align, PointerToRawData: headers},
	} {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	b.Write(make([]byte, headers-b.Len()))
	b.WriteString(section + strings.Repeat("\x90", align-len(section)) + "certificate")
	return b.Bytes()
}
