//go:build linux

package initramfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/u-root/u-root/pkg/cpio"
)

// image is a checked Config: all that is left is to write it.
type image struct {
	tree        tree
	compression Compression
	kernel      string
	modules     int
}

// Write writes the image that cfg describes to w. An error before the first byte names what is wrong with cfg; after
// one, what was written is of no use.
func Write(ctx context.Context, w io.Writer, cfg Config) (Summary, error) {
	img, err := prepare(cfg)
	if err != nil {
		return Summary{}, err
	}
	return img.write(ctx, w)
}

// prepare finds everything that goes into the image.
func prepare(cfg Config) (*image, error) {
	img := &image{tree: newTree(), compression: cfg.Compression}
	init := entry{mode: cpio.S_IFREG | 0o755, data: content(cfg.Init)}
	if len(cfg.Init) == 0 {
		if cfg.InitPath == "" {
			return nil, errors.New("no init program given")
		}
		if _, err := regularMode(cfg.InitPath); err != nil {
			return nil, fmt.Errorf("init program: %w", err)
		}
		init.data = fileContent(cfg.InitPath)
	}
	err := img.tree.add("init", init)
	if err != nil {
		return nil, err
	}
	if img.kernel, img.modules, err = img.tree.addModules(cfg); err != nil {
		return nil, err
	}
	for _, f := range cfg.Files {
		if err := img.tree.addFile(f); err != nil {
			return nil, err
		}
	}
	return img, nil
}

// write writes the image.
func (img *image) write(ctx context.Context, w io.Writer) (Summary, error) {
	out := &counter{w: w}
	z, err := compressor(out, img.compression)
	if err != nil {
		return Summary{}, err
	}
	archive := &counter{w: z}
	if err := img.tree.write(ctx, archive); err != nil {
		return Summary{}, errors.Join(err, z.Close())
	}
	if err := z.Close(); err != nil {
		return Summary{}, fmt.Errorf("compress: %w", err)
	}
	return Summary{
		Kernel: img.kernel, Modules: img.modules, Files: len(img.tree), Unpacked: archive.n, Bytes: out.n,
	}, nil
}

// write writes the tree as a newc archive: sorted, with inode numbers of its own and no owner or time.
func (t tree) write(ctx context.Context, w io.Writer) error {
	records := cpio.Newc.Writer(w)
	for i, name := range t.names() {
		if err := ctx.Err(); err != nil {
			return err
		}
		rec, err := t[name].record(name, uint64(i)+1)
		if err != nil {
			return err
		}
		if err := records.WriteRecord(rec); err != nil {
			return fmt.Errorf("write /%s: %w", name, err)
		}
	}
	if err := cpio.WriteTrailer(records); err != nil {
		return fmt.Errorf("write the end of the archive: %w", err)
	}
	return nil
}

// record makes the archive's form of an entry.
func (e entry) record(name string, ino uint64) (cpio.Record, error) {
	info := cpio.Info{Name: name, Ino: ino, Mode: e.mode, NLink: 1, Rmajor: e.major, Rminor: e.minor}
	if e.isDir() {
		info.NLink = 2
	}
	if e.data == nil {
		return cpio.Record{Info: info}, nil
	}
	data, err := e.data()
	if err != nil {
		return cpio.Record{}, err
	}
	info.FileSize = uint64(len(data))
	return cpio.Record{Info: info, ReaderAt: bytes.NewReader(data)}, nil
}
