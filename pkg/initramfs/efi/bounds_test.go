package efi_test

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/efi"
	"github.com/iscsiroot/iscsiroot/pkg/internal/efitest"
)

// The sections are as firmware loads them: with their names, content and room, none over another,
// and counted in the headers (PE/COFF section 3). The sum and the signature of the program do not
// hold any more, and are gone.
func TestAddSections(t *testing.T) {
	program := efitest.Program(t, ".text", 6)
	more := []efi.Section{
		{Name: ".cmdline", Data: []byte("root=x"), Flags: efi.Data},
		{Name: ".linux", Data: bytes.Repeat([]byte{7}, 5000), Memory: 3 << 20, Flags: efi.Data},
		{Name: ".initrd", Data: []byte("x"), Flags: efi.Data},
	}
	out, err := efi.AddSections(program, more)
	if err != nil {
		t.Fatal(err)
	}
	before, err := pe.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	after, err := pe.NewFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	opt, old := after.OptionalHeader.(*pe.OptionalHeader64), before.OptionalHeader.(*pe.OptionalHeader64)
	if opt.CheckSum != 0 || opt.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY] != (pe.DataDirectory{}) {
		t.Errorf("sum %#x, signature %+v", opt.CheckSum, opt.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY])
	}
	if len(after.Sections) != len(before.Sections)+len(more) {
		t.Fatalf("%d sections", len(after.Sections))
	}
	end, raw := uint32(0), old.SizeOfInitializedData
	for i, s := range after.Sections {
		if s.VirtualAddress < end || s.VirtualAddress%opt.SectionAlignment != 0 || i >= len(before.Sections) && s.Offset%opt.FileAlignment != 0 {
			t.Errorf("%s is at %#x of memory, %#x of the file, and the one before it ends at %#x", s.Name, s.VirtualAddress, s.Offset, end)
		}
		end = s.VirtualAddress + max(s.VirtualSize, s.Size)
		if i < len(before.Sections) {
			continue
		}
		want := more[i-len(before.Sections)]
		data, err := s.Data()
		if err != nil || s.Name != want.Name || !bytes.HasPrefix(data, want.Data) || s.Characteristics != want.Flags ||
			s.VirtualSize != max(want.Memory, uint32(len(want.Data))) || strings.Trim(string(data[len(want.Data):]), "\x00") != "" {
			t.Errorf("%s: %+v, %v", want.Name, s.SectionHeader, err)
		}
		raw += s.Size
	}
	if opt.SizeOfInitializedData != raw || opt.SizeOfImage < end || opt.SizeOfImage%opt.SectionAlignment != 0 {
		t.Errorf("%d bytes of data, want %d; %#x of memory, want %#x", opt.SizeOfInitializedData, raw, opt.SizeOfImage, end)
	}
}

// What does not fit is refused: more sections than the headers have room for, and more memory than
// 2 GiB.
func TestSectionsThatDoNotFit(t *testing.T) {
	program := efitest.Program(t, ".text", 2)
	one := efi.Section{Name: ".a", Data: []byte("a"), Flags: efi.Data}
	room := 0
	for room < 100 {
		if _, err := efi.AddSections(program, several(one, room+1)); err != nil {
			break
		}
		room++
	}
	if out, err := efi.AddSections(program, several(one, room)); err != nil {
		t.Error(err)
	} else if _, err := pe.NewFile(bytes.NewReader(out)); err != nil {
		t.Error(err)
	}
	_, err := efi.AddSections(program, several(one, room+3))
	if err == nil || !strings.Contains(err.Error(), "its headers have room for ") || !strings.HasSuffix(err.Error(), " are needed") {
		t.Errorf("error %v", err)
	}
	one.Memory = 1<<31 - 1
	if _, err := efi.AddSections(program, several(one, 1)); err == nil || err.Error() != "with a it is larger than 2 GiB" {
		t.Errorf("error %v", err)
	}
	one.Memory = 1 << 30
	if _, err := efi.AddSections(program, several(one, 1)); err != nil {
		t.Error(err)
	}
}

func several(one efi.Section, n int) []efi.Section {
	var out []efi.Section
	for range n {
		out = append(out, one)
	}
	return out
}

// An alignment that the format does not have is refused: the file would be as large.
func TestFileAlignment(t *testing.T) {
	program := efitest.Program(t, ".text", 6)
	const fileAlignment = 36 // in the optional header
	at := int(binary.LittleEndian.Uint32(program[0x3c:])) + 4 + 20 + fileAlignment
	for align, ok := range map[uint32]bool{0: false, 1: true, 512: true, 64 << 10: true, 64<<10 + 1: false, 1 << 31: false} {
		binary.LittleEndian.PutUint32(program[at:], align)
		if _, err := efi.AddSections(program, []efi.Section{{Name: ".x", Data: []byte("x")}}); (err == nil) != ok {
			t.Errorf("%d: %v", align, err)
		}
	}
}
