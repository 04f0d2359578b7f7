package images

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"

	"github.com/u-root/u-root/pkg/cpio"
	"golang.org/x/sys/unix"
)

// WriteInitrd writes the tree as an uncompressed initramfs. It adds dev/console and dev/null,
// without which a Go program that is /init ends before main.
func WriteInitrd(path string, t Tree) error {
	full := Tree{"dev/console": CharDevice(5, 1), "dev/null": CharDevice(1, 3)}
	maps.Copy(full, t)
	out, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write initrd: %w", err)
	}
	defer out.Close()
	if err := writeInitrd(out, full); err != nil {
		return fmt.Errorf("write initrd: %w", err)
	}
	return out.Close()
}

func writeInitrd(out io.Writer, t Tree) error {
	all, names, err := t.complete()
	if err != nil {
		return err
	}
	records := make([]cpio.Record, len(names))
	for i, name := range names {
		if records[i], err = all[name].record(name); err != nil {
			return err
		}
		records[i].Ino = uint64(i + 1)
	}
	w := cpio.Newc.Writer(out)
	if err := cpio.WriteRecords(w, records); err != nil {
		return err
	}
	return cpio.WriteTrailer(w)
}

func (f File) record(name string) (cpio.Record, error) {
	perm := uint64(f.Mode.Perm())
	switch f.Mode.Type() {
	case fs.ModeDir:
		return cpio.Directory(name, perm), nil
	case fs.ModeSymlink:
		return cpio.Symlink(name, f.Link), nil
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		return cpio.StaticRecord(nil, cpio.Info{
			Name: name, Mode: uint64(f.deviceMode()) | perm, NLink: 1, Rmajor: uint64(f.Major), Rminor: uint64(f.Minor),
		}), nil
	}
	in, err := f.open()
	if err != nil {
		return cpio.Record{}, err
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if err != nil {
		return cpio.Record{}, err
	}
	return cpio.StaticRecord(content, cpio.Info{Name: name, Mode: unix.S_IFREG | perm, NLink: 1}), nil
}
