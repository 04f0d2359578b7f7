package initramfs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// MissingFirmware are files that a module of the image requests and that are not in the image. Many
// modules list files that only some of their cards need.
type MissingFirmware struct {
	Module string
	Files  []string
}

// firmwareSuffixes are the forms in which a file is looked for
// (drivers/base/firmware_loader/main.c: fw_get_filesystem_firmware).
var firmwareSuffixes = []struct {
	suffix string
	packed archive.Compression
}{{"", ""}, {".zst", archive.Zstd}, {".xz", archive.XZ}}

// firmwareDirs returns where the kernel looks for firmware, first what cfg names
// (drivers/base/firmware_loader/main.c: fw_path).
func firmwareDirs(cfg Config, root, release string) []string {
	dirs := slices.Clone(cfg.FirmwareDirs)
	for _, lib := range []string{"lib", "usr/lib"} {
		base := filepath.Join(root, lib, "firmware")
		dirs = append(dirs, filepath.Join(base, "updates", release), filepath.Join(base, "updates"), filepath.Join(base, release), base)
	}
	return dirs
}

// addFirmware adds the firmware that modules request to the image, as plain files, and returns how
// many there are and what is missing. What one of them takes comes from memory.
func (t tree) addFirmware(mods []loaded, dirs []string, memory *archive.Memory) (n int, missing []MissingFirmware, err error) {
	done := map[string]bool{}
	for _, m := range mods {
		var absent []string
		for _, name := range m.info.Firmware {
			if !fs.ValidPath(name) {
				continue
			}
			found := findFirmware(dirs, name)
			if len(found) == 0 {
				absent = append(absent, name)
			}
			for _, f := range found {
				if done[f.name] {
					continue
				}
				done[f.name] = true
				n++
				if err := t.add(path.Join("lib/firmware", f.name), entry{mode: cpio.S_IFREG | 0o644, data: func() ([]byte, error) { return f.content(memory) }}); err != nil {
					return 0, nil, err
				}
			}
		}
		if len(absent) > 0 {
			missing = append(missing, MissingFirmware{m.Name, absent})
		}
	}
	return n, missing, nil
}

// firmware is one file: its name below lib/firmware, without a suffix for compression, and where it
// is.
type firmware struct {
	name, source string
	packed       archive.Compression
}

// findFirmware returns the files of a name, which may be a pattern.
func findFirmware(dirs []string, name string) []firmware {
	var out []firmware
	for _, dir := range dirs {
		for _, form := range firmwareSuffixes {
			matches, _ := fs.Glob(os.DirFS(dir), name+form.suffix) // a bad pattern matches nothing
			for _, m := range matches {
				if st, err := os.Stat(filepath.Join(dir, m)); err == nil && st.Mode().IsRegular() {
					out = append(out, firmware{strings.TrimSuffix(m, form.suffix), filepath.Join(dir, m), form.packed})
				}
			}
			if len(out) > 0 {
				return out
			}
		}
	}
	return nil
}

// maxFirmware bounds one file, unpacked, in bytes.
const maxFirmware = 128 << 20

// content is the data function of a firmware file: plain, because not every kernel is built to
// unpack it. It is written before the next one is read, so nothing stays taken from memory; but the
// one before may not be collected yet, which takes as much again.
func (f firmware) content(memory *archive.Memory) ([]byte, error) {
	data, err := f.read(memory)
	if err == nil {
		err = memory.Take(int64(len(data)))
	}
	if err != nil {
		return nil, fmt.Errorf("read firmware %s: %w", f.source, err)
	}
	memory.Give(2 * int64(len(data)))
	return data, nil
}

// read leaves what it returns taken from memory.
func (f firmware) read(memory *archive.Memory) ([]byte, error) {
	file, _, err := OpenRegular(f.source)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return unpackBelow(file, f.packed, memory, maxFirmware)
}
