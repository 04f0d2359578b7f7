package initramfs

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// UKI says what, beside an initramfs, goes into a unified kernel image: an EFI program that firmware starts from a disk
// or from the network (UAPI.5).
type UKI struct {
	// Stub is the program that starts the kernel, such as systemd-boot's linuxx64.efi.stub.
	Stub string
	// Kernel is the kernel's image.
	Kernel string
	// CommandLine is the kernel's.
	CommandLine string
	// OSRelease is a file as os-release(5) describes it; empty makes one that names the kernel's release.
	OSRelease string
}

// Of a PE section: the size of its header and its flags (Microsoft PE format, "Section Table").
const (
	peHeaderSize = 40
	pageSize     = 4096 // some stubs align to less, and the kernel runs where its section is
	peData       = pe.IMAGE_SCN_CNT_INITIALIZED_DATA | pe.IMAGE_SCN_MEM_READ
	peCode       = pe.IMAGE_SCN_CNT_CODE | pe.IMAGE_SCN_MEM_READ | pe.IMAGE_SCN_MEM_EXECUTE
)

// maxOSRelease bounds a file as os-release(5) describes it, in bytes.
const maxOSRelease = 64 << 10

// peSection is a section to add.
type peSection struct {
	name  string
	data  []byte
	size  uint32 // in memory; 0 for that of data
	flags uint32
}

// write writes the program.
func (u *UKI) write(w io.Writer, initrd []byte, release string) error {
	stub, err := fileContent(u.Stub)()
	if err != nil {
		return fmt.Errorf("EFI stub: %w", err)
	}
	kernel, err := fileContent(u.Kernel)()
	if err != nil {
		return fmt.Errorf("kernel: %w", err)
	}
	osRelease := []byte("ID=iscsiroot\nNAME=iscsiroot\nVERSION_ID=" + release + "\nPRETTY_NAME=\"iscsiroot, kernel " + release + "\"\n")
	if u.OSRelease != "" {
		if osRelease, err = ReadRegular(u.OSRelease, maxOSRelease); err != nil {
			return fmt.Errorf("read %s: %w", u.OSRelease, err)
		}
	}
	// The kernel comes last: when it starts it needs memory behind its image.
	out, err := addSections(stub, []peSection{
		{".osrel", osRelease, 0, peData},
		{".cmdline", []byte(u.CommandLine + "\x00"), 0, peData},
		{".initrd", initrd, 0, peData},
		{".linux", kernel, sizeOfImage(kernel), peCode},
	})
	if err != nil {
		return fmt.Errorf("EFI stub %s: %w", u.Stub, err)
	}
	_, err = w.Write(out)
	return err
}

// sizeOfImage returns the memory that an EFI program needs; 0 if it is none.
func sizeOfImage(program []byte) uint32 {
	f, err := pe.NewFile(bytes.NewReader(program))
	if err != nil {
		return 0
	}
	if h, ok := f.OptionalHeader.(*pe.OptionalHeader64); ok {
		return h.SizeOfImage
	}
	return 0
}

// peHeaders are the places in an EFI program of what changes with its sections.
type peHeaders struct {
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

func readHeaders(program []byte) (peHeaders, error) {
	f, err := pe.NewFile(bytes.NewReader(program))
	if err != nil {
		return peHeaders{}, fmt.Errorf("no EFI program: %w", err)
	}
	opt, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || opt.NumberOfRvaAndSizes <= pe.IMAGE_DIRECTORY_ENTRY_SECURITY {
		return peHeaders{}, errors.New("no EFI program of 64 bits")
	}
	if opt.FileAlignment == 0 || opt.SectionAlignment == 0 || int64(opt.SizeOfHeaders) > int64(len(program)) {
		return peHeaders{}, errors.New("no EFI program: its headers are damaged")
	}
	h := peHeaders{coff: int(binary.LittleEndian.Uint32(program[0x3c:])) + 4, sections: len(f.Sections), fields: opt}
	h.optional = h.coff + coffSize
	h.table = h.optional + int(f.SizeOfOptionalHeader)
	for _, s := range f.Sections {
		if s.Name == ".linux" || s.Name == ".initrd" {
			return peHeaders{}, fmt.Errorf("it has a section %s: not a stub but a complete image", s.Name)
		}
		h.end = max(h.end, s.VirtualAddress+max(s.VirtualSize, s.Size))
	}
	return h, nil
}

// addSections returns an EFI program with more sections, in memory behind those that it has. A signature of it is lost.
func addSections(program []byte, sections []peSection) ([]byte, error) {
	h, err := readHeaders(program)
	if err != nil {
		return nil, err
	}
	if room := int(h.fields.SizeOfHeaders) - h.table - peHeaderSize*h.sections; room < peHeaderSize*len(sections) {
		return nil, fmt.Errorf("its headers have room for %d more sections, %d are needed", max(0, room)/peHeaderSize, len(sections))
	}
	out := bytes.Clone(program)
	le := binary.LittleEndian
	at, added := uint64(h.end), uint64(h.fields.SizeOfInitializedData)
	align := max(h.fields.SectionAlignment, pageSize)
	for i, s := range sections {
		at = alignUp(at, align)
		out = append(out, make([]byte, alignUp(uint64(len(out)), h.fields.FileAlignment)-uint64(len(out)))...)
		raw := alignUp(uint64(len(s.data)), h.fields.FileAlignment)
		memory := max(uint64(s.size), uint64(len(s.data)))
		if at+memory > 1<<31 || uint64(len(out))+raw > 1<<31 {
			return nil, fmt.Errorf("with %s it is larger than 2 GiB", strings.TrimPrefix(s.name, "."))
		}
		place := len(out)
		out = append(append(out, s.data...), make([]byte, raw-uint64(len(s.data)))...)
		e := out[h.table+peHeaderSize*(h.sections+i):][:peHeaderSize]
		clear(e)
		copy(e, s.name)
		le.PutUint32(e[8:], uint32(memory))
		le.PutUint32(e[12:], uint32(at))
		le.PutUint32(e[16:], uint32(raw))
		le.PutUint32(e[20:], uint32(place))
		le.PutUint32(e[36:], s.flags)
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
