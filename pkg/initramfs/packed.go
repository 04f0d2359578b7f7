package initramfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// Init is most of a small image, and packing it most of the time that the image takes. So init is
// packed once, when the program is built: as an archive of its own, which the kernel unpacks behind
// the others.

// initName is init's name in an image.
const initName = "init"

// programEntry is the entry of an init program.
func programEntry(init []byte) entry {
	return entry{mode: cpio.S_IFREG | 0o755, data: content(init), size: int64(len(init))}
}

// PackInit packs the init program at path for Config.PackedInit.
func PackInit(ctx context.Context, path string) ([]byte, error) {
	init, err := fileContent(path)()
	if err != nil {
		return nil, fmt.Errorf("pack init: %w", err)
	}
	var b bytes.Buffer
	z, err := compressor(ctx, &b, Zstd)
	if err != nil {
		return nil, err
	}
	if err := (tree{initName: programEntry(init)}).write(ctx, z, 0); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack init: %w", err)
	}
	return b.Bytes(), nil
}

// UnpackInit returns the program that PackInit has packed.
func UnpackInit(packed []byte) ([]byte, error) {
	t, err := archive.Read(packed, archive.DefaultLimits)
	if err != nil {
		return nil, fmt.Errorf("unpack init: %w", err)
	}
	if len(t.Segments) != 1 || t.Segments[0].Compression != archive.Zstd {
		return nil, errors.New("unpack init: not one archive packed with zstd")
	}
	n, err := t.Follow(initName)
	if names := t.Names(); err != nil || len(names) != 1 || n.Type() != archive.TypeRegular {
		return nil, fmt.Errorf("unpack init: an archive of %d files, not of init", len(names))
	}
	return n.Data(), nil
}

// packed reports whether the packed init can be part of the image as it is.
func (img *image) packed() bool {
	c := img.cfg
	return len(c.Init) == 0 && len(c.PackedInit) > 0 && c.ModTime == 0 && (c.Compression == "" || c.Compression == Zstd)
}

// writePacked writes the packed init, and counts in in what it is unpacked.
func (img *image) writePacked(ctx context.Context, w io.Writer, in *counter) error {
	plain := &counter{w: io.Discard}
	if err := (tree{initName: img.tree[initName]}).write(ctx, plain, 0); err != nil {
		return err
	}
	in.add(plain.n)
	_, err := w.Write(img.cfg.PackedInit)
	return err
}
