// Package efi adds sections to an EFI program (Microsoft PE format).
package efi

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Flags of a section (Microsoft PE format, "Section Flags").
const (
	Data = pe.IMAGE_SCN_CNT_INITIALIZED_DATA | pe.IMAGE_SCN_MEM_READ
	Code = pe.IMAGE_SCN_CNT_CODE | pe.IMAGE_SCN_MEM_READ | pe.IMAGE_SCN_MEM_EXECUTE
)

const (
	headerSize = 40   // of a section
	pageSize   = 4096 // some stubs align to less, and the kernel runs where its section is

	// maxFileAlignment is the format's limit, in bytes: with 4 GiB the file would be as large.
	maxFileAlignment = 64 << 10
)

// Section is a section to add.
type Section struct {
	Name   string // of at most 8 bytes
	Data   []byte
	Memory uint32 // bytes; 0 for those of Data
	Flags  uint32
}

// SizeOfImage returns the memory that an EFI program needs; 0 if it is not one.
func SizeOfImage(program []byte) uint32 {
	f, err := pe.NewFile(bytes.NewReader(program))
	if err != nil {
		return 0
	}
	if h, ok := f.OptionalHeader.(*pe.OptionalHeader64); ok {
		return h.SizeOfImage
	}
	return 0
}

// headers are the places in an EFI program of what changes with its sections.
type headers struct {
	coff, optional, table int // offsets of headers
	sections              int
	fields                *pe.OptionalHeader64
	end                   uint32 // of the last section in memory
}

// Offsets in the COFF header and in the optional header of PE32+.
const (
	coffSections    = 2
	coffSize        = 20
	optInitialised  = 8
	optSizeOfImage  = 56
	optCheckSum     = 64
	optCertificates = 112 + 4*8 // data directory 4
)

// readHeaders finds them.
func readHeaders(program []byte) (headers, error) {
	f, err := pe.NewFile(bytes.NewReader(program))
	if err != nil {
		return headers{}, fmt.Errorf("no EFI program: %w", err)
	}
	opt, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || opt.NumberOfRvaAndSizes <= pe.IMAGE_DIRECTORY_ENTRY_SECURITY {
		return headers{}, errors.New("no EFI program of 64 bits")
	}
	if opt.FileAlignment == 0 || opt.FileAlignment > maxFileAlignment || opt.SectionAlignment == 0 || int64(opt.SizeOfHeaders) > int64(len(program)) {
		return headers{}, errors.New("no EFI program: its headers are damaged")
	}
	h := headers{coff: int(binary.LittleEndian.Uint32(program[0x3c:])) + 4, sections: len(f.Sections), fields: opt}
	h.optional = h.coff + coffSize
	h.table = h.optional + int(f.SizeOfOptionalHeader)
	for _, s := range f.Sections {
		if s.Name == ".linux" || s.Name == ".initrd" {
			return headers{}, fmt.Errorf("it has a section %s: not a stub but a complete image", s.Name)
		}
		h.end = max(h.end, s.VirtualAddress+max(s.VirtualSize, s.Size))
	}
	return h, nil
}

// AddSections returns an EFI program with more sections, in memory behind those that it has. A
// signature of it is lost.
func AddSections(program []byte, sections []Section) ([]byte, error) {
	h, err := readHeaders(program)
	if err != nil {
		return nil, err
	}
	if room := int(h.fields.SizeOfHeaders) - h.table - headerSize*h.sections; room < headerSize*len(sections) {
		return nil, fmt.Errorf("its headers have room for %d more sections, %d are needed", max(0, room)/headerSize, len(sections))
	}
	out := bytes.Clone(program)
	le := binary.LittleEndian
	at, added := uint64(h.end), uint64(h.fields.SizeOfInitializedData)
	align := max(h.fields.SectionAlignment, pageSize)
	for i, s := range sections {
		at = alignUp(at, align)
		out = append(out, make([]byte, alignUp(uint64(len(out)), h.fields.FileAlignment)-uint64(len(out)))...)
		raw := alignUp(uint64(len(s.Data)), h.fields.FileAlignment)
		memory := max(uint64(s.Memory), uint64(len(s.Data)))
		if at+memory > 1<<31 || uint64(len(out))+raw > 1<<31 {
			return nil, fmt.Errorf("with %s it is larger than 2 GiB", strings.TrimPrefix(s.Name, "."))
		}
		place := len(out)
		out = append(append(out, s.Data...), make([]byte, raw-uint64(len(s.Data)))...)
		e := out[h.table+headerSize*(h.sections+i):][:headerSize]
		clear(e)
		copy(e, s.Name)
		le.PutUint32(e[8:], uint32(memory))
		le.PutUint32(e[12:], uint32(at))
		le.PutUint32(e[16:], uint32(raw))
		le.PutUint32(e[20:], uint32(place))
		le.PutUint32(e[36:], s.Flags)
		at, added = at+memory, added+raw
	}
	le.PutUint16(out[h.coff+coffSections:], uint16(h.sections+len(sections)))
	le.PutUint32(out[h.optional+optInitialised:], uint32(added))
	le.PutUint32(out[h.optional+optSizeOfImage:], uint32(alignUp(at, align)))
	le.PutUint32(out[h.optional+optCheckSum:], 0)
	clear(out[h.optional+optCertificates : h.optional+optCertificates+8])
	return out, nil
}

func alignUp(n uint64, to uint32) uint64 { return (n + uint64(to) - 1) / uint64(to) * uint64(to) }
