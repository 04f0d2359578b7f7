package efi_test

import (
	"bytes"
	"debug/pe"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/efi"
	"github.com/iscsiroot/iscsiroot/pkg/internal/efitest"
)

// A program that is accepted has the section, as another reader finds it.
func FuzzAddSections(f *testing.F) {
	f.Add(efitest.Program(f, ".text", 6))
	f.Fuzz(func(t *testing.T, stub []byte) {
		out, err := efi.AddSections(stub, []efi.Section{{Name: ".probe", Data: []byte("probe"), Flags: efi.Data}})
		if err != nil {
			return
		}
		file, err := pe.NewFile(bytes.NewReader(out))
		if err != nil || file.Section(".probe") == nil {
			t.Fatalf("the result is not an EFI program with the section: %v", err)
		}
	})
}
