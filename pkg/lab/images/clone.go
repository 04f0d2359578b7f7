package images

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Clone copies the image to path, which the other image then shares its blocks with until one of
// them is written to, if the file system supports that (ioctl_ficlonerange(2)); otherwise it copies
// all but the holes.
func (d *Disk) Clone(path string) (*Disk, error) {
	if err := clone(d.Path, path); err != nil {
		return nil, fmt.Errorf("clone disk %s: %w", d.Path, err)
	}
	return &Disk{Path: path, offsets: d.offsets}, nil
}

func clone(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	err = unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
	if err != nil {
		err = copySparse(out, in)
	}
	return errors.Join(err, out.Close())
}

// copySparse copies a file's data, and leaves out its holes (lseek(2), SEEK_DATA).
func copySparse(out, in *os.File) error {
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := out.Truncate(info.Size()); err != nil {
		return err
	}
	for at := int64(0); ; {
		begin, err := in.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // only a hole is left
		} else if err != nil {
			return err
		}
		end, err := in.Seek(begin, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if _, err := out.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		if _, err := in.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.CopyN(out, in, end-begin); err != nil {
			return err
		}
		at = end
	}
}
