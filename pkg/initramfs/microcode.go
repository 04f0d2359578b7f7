package initramfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"
)

// vendors are what the kernel takes from an early archive, which must not be compressed
// (Documentation/arch/x86/microcode.rst), and the folder of firmware it is made of.
var vendors = []struct{ folder, name string }{
	{"amd-ucode", "kernel/x86/microcode/AuthenticAMD.bin"},
	{"intel-ucode", "kernel/x86/microcode/GenuineIntel.bin"},
}

// writeMicrocode writes the early archive; nothing if dirs is empty.
func writeMicrocode(ctx context.Context, w io.Writer, dirs []string, modTime uint32) error {
	if len(dirs) == 0 {
		return nil
	}
	t := tree{}
	for _, v := range vendors {
		for _, dir := range dirs {
			data, err := concatenate(filepath.Join(dir, v.folder))
			if err != nil {
				return err
			}
			if len(data) == 0 {
				continue
			}
			if err := t.add(v.name, entry{mode: cpio.S_IFREG | 0o644, data: content(data)}); err != nil {
				return err
			}
			break
		}
	}
	if len(t) == 0 {
		return fmt.Errorf("microcode: no amd-ucode and no intel-ucode in %s: %w", strings.Join(dirs, ", "), os.ErrNotExist)
	}
	return t.write(ctx, w, modTime)
}

// concatenate returns the content of all files in a folder, by name. Debian leaves a second form of
// some, with the suffix .initramfs, beside the first.
func concatenate(dir string) ([]byte, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("microcode %s: %w", dir, cause(err))
	}
	var b bytes.Buffer
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasSuffix(e.Name(), ".asc") || strings.HasSuffix(e.Name(), ".initramfs") || e.Name() == "README" {
			continue
		}
		data, err := fileContent(filepath.Join(dir, e.Name()))()
		if err != nil {
			return nil, err
		}
		b.Write(data)
	}
	return b.Bytes(), nil
}
