package switchroot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// program is what the kernel needs to run a file.
type program struct {
	interpreter string // dynamic loader or script's interpreter; may be empty
}

var (
	errNotProgram = errors.New("neither an ELF program nor a script")
	errMachine    = errors.New("built for another kind of machine")
)

// machines are the ELF machines that a kernel for GOARCH runs
// (include/uapi/linux/elf-em.h).
var machines = map[string][]uint16{
	"amd64": {62, 3},   // EM_X86_64, EM_386
	"arm64": {183, 40}, // EM_AARCH64, EM_ARM
}

const (
	maxShebang = 256     // #define BINPRM_BUF_SIZE 256 (include/uapi/linux/binfmts.h)
	maxPhdrs   = 1 << 10 // the kernel takes at most 64 KiB of headers (fs/binfmt_elf.c)
	maxInterp  = 4096    // PATH_MAX (fs/binfmt_elf.c: load_elf_binary)
	ptInterp   = 3       // #define PT_INTERP 3 (include/uapi/linux/elf.h)
)

// readProgram reads the head of an executable file as the kernel will.
func readProgram(r io.ReaderAt) (program, error) {
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
		return readELF(r, head)
	}
	return program{}, errNotProgram
}

// readScript takes the interpreter from "#! interpreter [arg]"
// (fs/binfmt_script.c).
func readScript(head []byte) (program, error) {
	line, _, _ := bytes.Cut(head[2:], []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) == 0 {
		return program{}, errNotProgram
	}
	return program{interpreter: string(fields[0])}, nil
}

// elfLayout says where the fields of a class are
// (include/uapi/linux/elf.h: struct elf32_hdr, elf64_hdr, elf32_phdr, elf64_phdr).
type elfLayout struct {
	headLen, phoff, phentsize, phnum int // e_phoff, e_phentsize, e_phnum
	phdrLen, offset, filesz          int // p_offset, p_filesz
	word                             func(binary.ByteOrder, []byte) uint64
}

func word32(o binary.ByteOrder, b []byte) uint64 { return uint64(o.Uint32(b)) }
func word64(o binary.ByteOrder, b []byte) uint64 { return o.Uint64(b) }

// readELF checks class, byte order and machine, and finds PT_INTERP.
func readELF(r io.ReaderAt, head []byte) (program, error) {
	l := elfLayout{64, 32, 54, 56, 56, 8, 32, word64}
	switch {
	case len(head) < 52:
		return program{}, errNotProgram
	case head[4] == 1: // ELFCLASS32
		l = elfLayout{52, 28, 42, 44, 32, 4, 16, word32}
	case head[4] != 2 || len(head) < 64: // ELFCLASS64
		return program{}, errNotProgram
	}
	if head[5] != 1 { // ELFDATA2LSB, as all our machines are
		return program{}, fmt.Errorf("%w: big-endian", errMachine)
	}
	le := binary.LittleEndian
	machine := le.Uint16(head[18:])
	ok := false
	for _, m := range machines[runtime.GOARCH] {
		ok = ok || m == machine
	}
	if !ok {
		return program{}, fmt.Errorf("%w: ELF machine %d, this one is %s", errMachine, machine, runtime.GOARCH)
	}
	n, size := int(le.Uint16(head[l.phnum:])), int(le.Uint16(head[l.phentsize:]))
	if n > maxPhdrs || n > 0 && size != l.phdrLen {
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
	path, _, _ = bytes.Cut(path, []byte{0})
	return program{interpreter: string(path)}, nil
}
