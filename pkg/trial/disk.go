//go:build linux

package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// disk returns what the target is to serve.
func (b *bench) disk(ctx context.Context) (string, error) {
	if b.Write {
		return filepath.Abs(b.host.Disk)
	}
	name := filepath.Join(b.ns.Dir(), "disk.img")
	if err := copySparse(ctx, name, b.host.Disk); err != nil {
		return "", fmt.Errorf("copy its disk: %w", err)
	}
	return name, nil
}

// copyBytes is how much is copied before the context is looked at.
const copyBytes = 4 << 20

// copySparse copies a file or block device, without its holes, and without its data where the file
// system can share them.
func copySparse(ctx context.Context, name, source string) error {
	in, err := os.OpenFile(source, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO would wait for a writer
	if err != nil {
		return err
	}
	defer in.Close()
	const disk = fs.ModeType &^ fs.ModeDevice
	if st, err := in.Stat(); err != nil || st.Mode()&disk != 0 {
		return errors.Join(err, fmt.Errorf("%s: neither a regular file nor a block device", source))
	}
	size, err := in.Seek(0, io.SeekEnd) // of a block device too
	if err != nil {
		return err
	}
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) == nil {
		return out.Close()
	}
	if err := out.Truncate(size); err != nil {
		return err
	}
	for at := int64(0); at < size; {
		start, end, err := extent(in, at, size)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		end = min(end, start+copyBytes)
		if _, err := io.Copy(io.NewOffsetWriter(out, start), io.NewSectionReader(in, start, end-start)); err != nil {
			return fmt.Errorf("%w: --write uses the disk itself", err)
		}
		at = end
	}
	return out.Close()
}

// extent finds the next data from at on. A file without holes, such as a block device, is data.
func extent(f *os.File, at, size int64) (start, end int64, err error) {
	start, err = f.Seek(at, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO): // none follows
		return size, size, nil
	case errors.Is(err, unix.EINVAL):
		return at, size, nil
	case err != nil:
		return 0, 0, err
	}
	end, err = f.Seek(start, unix.SEEK_HOLE)
	return start, end, err
}
