package switchroot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// program describes what the kernel needs to run a file.
type program struct {
	interpreter string // dynamic loader or script's interpreter; may be empty
	script      bool
}

var (
	errNotProgram = errors.New("neither an ELF program nor a script")
	errMachine    = errors.New("built for another kind of machine")
)

// machines are the ELF machines that a kernel for GOARCH runs (include/uapi/linux/elf-em.h).
var machines = map[string][]uint16{
	"amd64": {62, 3},   // EM_X86_64, EM_386
	"arm64": {183, 40}, // EM_AARCH64, EM_ARM
}

// machineNames are ELF machines as uname -m has them.
var machineNames = map[uint16]string{
	3: "i386", 8: "mips", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64", 258: "loongarch64",
}

const (
	maxShebang = 256     // #define BINPRM_BUF_SIZE 256 (include/uapi/linux/binfmts.h)
	maxPhdrs   = 1 << 16 // bytes (fs/binfmt_elf.c: load_elf_phdrs)
	maxInterp  = 4096    // PATH_MAX (fs/binfmt_elf.c: load_elf_binary)
	etExec     = 2       // #define ET_EXEC 2 (include/uapi/linux/elf.h)
	etDyn      = 3       // #define ET_DYN 3
	ptInterp   = 3       // #define PT_INTERP 3
)

// readProgram reads the head of an executable file as the kernel of a machine of that GOARCH will.
func readProgram(r io.ReaderAt, arch string) (program, error) {
	head := make([]byte, maxShebang)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return program{}, err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		return readScript(head)
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return readELF(r, head, arch)
	}
	return program{}, errNotProgram
}

// readScript takes the interpreter from "#! interpreter [arg]". A carriage return is part of the
// name. Without a newline in the head, the end of the interpreter's name must be in it
// (fs/binfmt_script.c: load_script).
func readScript(head []byte) (program, error) {
	line, _, whole := bytes.Cut(head[2:], []byte("\n"))
	line = bytes.TrimLeft(line, " \t")
	n := bytes.IndexAny(line, " \t\x00")
	switch {
	case n >= 0:
		line = line[:n]
	case !whole && len(head) == maxShebang:
		return program{}, errNotProgram
	}
	if len(line) == 0 {
		return program{}, errNotProgram
	}
	return program{interpreter: string(line), script: true}, nil
}

// elfLayout is the offsets of the fields of a class (include/uapi/linux/elf.h: struct elf32_hdr,
// elf64_hdr, elf32_phdr, elf64_phdr).
type elfLayout struct {
	headLen, phoff, phentsize, phnum int // e_phoff, e_phentsize, e_phnum
	phdrLen, offset, filesz          int // p_offset, p_filesz
	word                             func(binary.ByteOrder, []byte) uint64
}

func word32(o binary.ByteOrder, b []byte) uint64 { return uint64(o.Uint32(b)) }
func word64(o binary.ByteOrder, b []byte) uint64 { return o.Uint64(b) }

// readELF checks class, byte order, machine and type, and finds PT_INTERP.
func readELF(r io.ReaderAt, head []byte, arch string) (program, error) {
	l := elfLayout{64, 32, 54, 56, 56, 8, 32, word64}
	switch {
	case len(head) < 52:
		return program{}, errNotProgram
	case head[4] == 1: // ELFCLASS32
		l = elfLayout{52, 28, 42, 44, 32, 4, 16, word32}
	case head[4] != 2 || len(head) < 64: // ELFCLASS64
		return program{}, errNotProgram
	}
	if head[5] != 1 { // ELFDATA2LSB, as all supported machines are
		return program{}, fmt.Errorf("%w: big-endian", errMachine)
	}
	le := binary.LittleEndian
	if machine := le.Uint16(head[18:]); !slices.Contains(machines[arch], machine) {
		return program{}, fmt.Errorf("%w: ELF machine %d%s, this one is %s", errMachine, machine, machineName(machine), arch)
	}
	typ, n, size := le.Uint16(head[16:]), int(le.Uint16(head[l.phnum:])), int(le.Uint16(head[l.phentsize:]))
	if typ != etExec && typ != etDyn || size != l.phdrLen || n == 0 || n*size > maxPhdrs {
		return program{}, errNotProgram
	}
	phdrs := make([]byte, n*size)
	if off := l.word(le, head[l.phoff:]); off > 1<<62 {
		return program{}, errNotProgram
	} else if _, err := r.ReadAt(phdrs, int64(off)); err != nil {
		return program{}, fmt.Errorf("program headers: %w", err)
	}
	for ; len(phdrs) > 0; phdrs = phdrs[size:] {
		if le.Uint32(phdrs) == ptInterp {
			return readInterp(r, l.word(le, phdrs[l.offset:]), l.word(le, phdrs[l.filesz:]))
		}
	}
	return program{}, nil
}

func readInterp(r io.ReaderAt, off, size uint64) (program, error) {
	if size < 2 || size > maxInterp || off > 1<<62 {
		return program{}, errNotProgram
	}
	path := make([]byte, size)
	if _, err := r.ReadAt(path, int64(off)); err != nil {
		return program{}, fmt.Errorf("program interpreter: %w", err)
	}
	name, _, _ := bytes.Cut(path, []byte{0})
	if path[size-1] != 0 || len(name) == 0 {
		return program{}, errNotProgram
	}
	return program{interpreter: string(name)}, nil
}

// machineName returns the name of an ELF machine as " (aarch64)", "" if it is not in the list.
func machineName(machine uint16) string {
	if name := machineNames[machine]; name != "" {
		return " (" + name + ")"
	}
	return ""
}
