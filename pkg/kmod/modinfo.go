package kmod

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Info is the content of a module file's section .modinfo (include/linux/module.h: MODULE_INFO).
type Info struct {
	// Name is normalised; empty in a file from before Linux 4.13, which does not contain it.
	Name string
	// Depends are the normalised names of modules whose symbols this one uses.
	Depends []string
	// Aliases are patterns, as in modules.alias.
	Aliases []string
	// Firmware are the files that the module requests, relative to lib/firmware; a few are
	// patterns of path.Match.
	Firmware []string
	// Softdeps are the texts of MODULE_SOFTDEP, such as "pre: crypto-crc32c".
	Softdeps []string
	// Vermagic is the kernel for which the file was built; its first word is the release.
	Vermagic string
	// Ethernet is true if the file imports a symbol that makes an Ethernet device or registers
	// a PHY driver.
	Ethernet bool
}

// Release returns the kernel release of Vermagic, empty if there is none.
func (i Info) Release() string {
	release, _, _ := strings.Cut(i.Vermagic, " ")
	return release
}

// ErrFormat reports that a file is not a kernel module: not a little-endian relocatable ELF file
// with a section .modinfo.
var ErrFormat = errors.New("not a kernel module")

// Limits of what is read of one file, in bytes: seventy times the largest known and more. Debian's
// largest, amdgpu, has 41 KiB of .modinfo and 464 KiB of .strtab.
const (
	maxModinfo = 4 << 20
	maxStrings = 32 << 20
)

// ReadInfo reads .modinfo of an uncompressed module file, for processors of 32 or 64 bits. A file
// that is damaged or something else is an ErrFormat.
func ReadInfo(r io.ReaderAt) (Info, error) {
	e, err := readELF(r)
	if err != nil {
		return Info{}, err
	}
	text, ok, err := e.section(".modinfo", maxModinfo)
	if err != nil {
		return Info{}, err
	}
	if !ok {
		return Info{}, fmt.Errorf("%w: no section .modinfo", ErrFormat)
	}
	info := parseModinfo(string(text))
	symbols, _, err := e.section(".strtab", maxStrings)
	if err != nil {
		return Info{}, err
	}
	info.Ethernet = isEthernet(info, symbols)
	return info, nil
}

// parseModinfo parses KEY=VALUE strings, each ended by one or more NULs.
func parseModinfo(text string) Info {
	var info Info
	for rec := range strings.SplitSeq(text, "\x00") {
		key, value, _ := strings.Cut(rec, "=")
		switch {
		case value == "":
		case key == "name":
			info.Name = normalise(value)
		case key == "alias":
			info.Aliases = append(info.Aliases, value)
		case key == "firmware":
			info.Firmware = append(info.Firmware, value)
		case key == "softdep":
			info.Softdeps = append(info.Softdeps, value)
		case key == "vermagic":
			info.Vermagic = strings.TrimSpace(value)
		case key == "depends":
			for name := range strings.SplitSeq(value, ",") {
				if name != "" {
					info.Depends = append(info.Depends, normalise(name))
				}
			}
		}
	}
	return info
}

// elfFile holds the parts of an ELF file that are needed to find a section by name.
type elfFile struct {
	r        io.ReaderAt
	layout   elfLayout
	sections []byte // the section header table
	names    []byte // the section that holds the sections' names
}

// elfLayout holds the offsets of the fields in the headers (include/uapi/linux/elf.h).
type elfLayout struct {
	wide                   bool // addresses and offsets have 8 bytes, not 4
	shoff, shnum, shstrndx int  // in struct elf64_hdr, elf32_hdr; e_shentsize stands before e_shnum
	size, offset, length   int  // of struct elf64_shdr, elf32_shdr; sh_offset and sh_size in it
	headerSize             int
}

var (
	elf64 = elfLayout{wide: true, headerSize: 64, shoff: 40, shnum: 60, shstrndx: 62, size: 64, offset: 24, length: 32}
	elf32 = elfLayout{headerSize: 52, shoff: 32, shnum: 48, shstrndx: 50, size: 40, offset: 16, length: 20}
)

// Fields of e_ident and their values, and others (include/uapi/linux/elf.h).
const (
	elfMagic    = "\x7fELF"
	eiClass     = 4
	eiData      = 5
	elfClass32  = 1
	elfClass64  = 2
	elfData2LSB = 1
	eType       = 16
	etRel       = 1
	shtNobits   = 8 // sh_type of a section without content
)

// readELF reads the headers. e_shnum has 16 bits, so the table has at most 4 MiB.
func readELF(r io.ReaderAt) (*elfFile, error) {
	head, err := readAt(r, 0, uint64(elf32.headerSize), maxModinfo)
	if err != nil {
		return nil, err
	}
	if string(head[:len(elfMagic)]) != elfMagic || head[eiData] != elfData2LSB || head[eType] != etRel {
		return nil, ErrFormat
	}
	e := &elfFile{r: r}
	switch head[eiClass] {
	case elfClass32:
		e.layout = elf32
	case elfClass64:
		e.layout = elf64
	default:
		return nil, ErrFormat
	}
	if head, err = readAt(r, 0, uint64(e.layout.headerSize), maxModinfo); err != nil {
		return nil, err
	}
	shoff := e.word(head, e.layout.shoff)
	entry := int(binary.LittleEndian.Uint16(head[e.layout.shnum-2:]))
	count := int(binary.LittleEndian.Uint16(head[e.layout.shnum:]))
	names := int(binary.LittleEndian.Uint16(head[e.layout.shstrndx:]))
	if entry != e.layout.size || names >= count {
		return nil, fmt.Errorf("%w: %d section headers of %d bytes, names in section %d", ErrFormat, count, entry, names)
	}
	if e.sections, err = readAt(r, shoff, uint64(count*entry), maxModinfo); err != nil {
		return nil, err
	}
	e.names, err = e.content(e.sections[names*entry:], maxModinfo)
	return e, err
}

// section returns the content of the first section of that name.
func (e *elfFile) section(name string, limit uint64) (data []byte, ok bool, err error) {
	for h := e.sections; len(h) >= e.layout.size; h = h[e.layout.size:] {
		at := uint64(binary.LittleEndian.Uint32(h)) // sh_name
		if at >= uint64(len(e.names)) {
			continue
		}
		rest := e.names[at:]
		if len(rest) > len(name) && string(rest[:len(name)]) == name && rest[len(name)] == 0 {
			data, err = e.content(h, limit)
			return data, err == nil, err
		}
	}
	return nil, false, nil
}

// content returns what the section has whose header h begins with.
func (e *elfFile) content(h []byte, limit uint64) ([]byte, error) {
	if binary.LittleEndian.Uint32(h[4:]) == shtNobits { // sh_type
		return nil, nil
	}
	return readAt(e.r, e.word(h, e.layout.offset), e.word(h, e.layout.length), limit)
}

// word returns an Elf64_Off, Elf64_Xword or the like of 32 bits.
func (e *elfFile) word(b []byte, at int) uint64 {
	if e.layout.wide {
		return binary.LittleEndian.Uint64(b[at:])
	}
	return uint64(binary.LittleEndian.Uint32(b[at:]))
}

// readAt returns n bytes at an offset. What a file does not have is an ErrFormat.
func readAt(r io.ReaderAt, offset, n, limit uint64) ([]byte, error) {
	if n > limit {
		return nil, fmt.Errorf("%w: a part of %d bytes", ErrFormat, n)
	}
	if offset > 1<<62 {
		return nil, fmt.Errorf("%w: a part at offset %d", ErrFormat, offset)
	}
	b := make([]byte, n)
	got, err := r.ReadAt(b, int64(offset))
	if got == len(b) {
		return b, nil
	}
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it ends before offset %d", ErrFormat, offset+n)
	}
	return nil, err
}
