package initramfs

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"strings"
)

// machineOf returns the processor that modules are for.
func machineOf(files []loaded) elf.Machine {
	for _, f := range files {
		return machine(f.data)
	}
	return elf.EM_NONE
}

// machine returns the processor that an ELF file is for; EM_NONE for any other file, such as a
// script.
func machine(data []byte) elf.Machine {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return elf.EM_NONE
	}
	return f.Machine
}

// interpreter returns the program that a dynamically linked one needs to start; empty for any other
// file.
func interpreter(data []byte) string {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return ""
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name, err := io.ReadAll(io.LimitReader(p.Open(), maxInterpreter))
		if err == nil {
			return strings.TrimRight(string(name), "\x00")
		}
	}
	return ""
}

// maxInterpreter bounds the path of an interpreter, in bytes (PATH_MAX).
const maxInterpreter = 4096

// checkMachine checks that init and the modules are for the same machine.
func (img *image) checkMachine(init []byte) error {
	m := machine(init)
	if m == img.machine || m == elf.EM_NONE || img.machine == elf.EM_NONE {
		return nil
	}
	return fmt.Errorf("init program is for %s and the modules of kernel %s are for %s: name another init program or another kernel",
		m, img.sum.Kernel, img.machine)
}
