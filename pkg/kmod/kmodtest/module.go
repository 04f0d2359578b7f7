// Package kmodtest makes kernel module files for tests.
package kmodtest

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// ELF of 64 bits (include/uapi/linux/elf.h).
const (
	headerSize  = 64
	sectionSize = 64
	x86         = 62 // EM_X86_64
	sections    = 3  // none, .modinfo, names of sections
)

// Module returns the file of a module for x86-64 with only a section .modinfo that holds these
// strings, such as "firmware=e100/d102e_ucode.bin". A signature may be appended.
func Module(modinfo ...string) []byte {
	info := strings.Join(modinfo, "\x00") + "\x00"
	names := "\x00.modinfo\x00.shstrtab\x00"
	shoff := headerSize + len(info) + len(names)
	shoff += -shoff & 7

	var b bytes.Buffer
	b.WriteString("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9))
	put := func(words ...any) {
		for _, w := range words {
			_ = binary.Write(&b, binary.LittleEndian, w) // a bytes.Buffer does not fail
		}
	}
	// e_type ET_REL, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags, e_ehsize, ...,
	// e_shnum, e_shstrndx
	put(uint16(1), uint16(x86), uint32(1), uint64(0), uint64(0), uint64(shoff), uint32(0),
		uint16(headerSize), uint16(0), uint16(0), uint16(sectionSize), uint16(sections), uint16(sections-1))
	b.WriteString(info + names)
	b.Write(make([]byte, shoff-b.Len()))
	// sh_name, sh_type PROGBITS or STRTAB, sh_flags, sh_addr, sh_offset, sh_size, sh_link,
	// sh_info, sh_addralign, sh_entsize
	section := func(name, kind uint32, offset, size int) {
		put(name, kind, uint64(0), uint64(0), uint64(offset), uint64(size), uint32(0), uint32(0), uint64(1), uint64(0))
	}
	section(0, 0, 0, 0)
	section(1, 1, headerSize, len(info))
	section(10, 3, headerSize+len(info), len(names))
	return b.Bytes()
}
