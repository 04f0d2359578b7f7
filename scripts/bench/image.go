package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// image is an initramfs as a file.
type image struct {
	candidate
	path  string
	bytes int64
}

// buildImages makes every chosen initramfs for a network device.
func (s *stage) buildImages(ctx context.Context, n nic) ([]image, error) {
	chosen, err := s.chosen()
	if err != nil {
		return nil, err
	}
	k, err := s.newKit(ctx, n)
	if err != nil {
		return nil, err
	}
	var out []image
	for _, c := range chosen {
		path := filepath.Join(s.dir, c.name+"-"+n.name)
		switch {
		case c.tree != nil:
			err = c.build(k, path)
		case c.name == ours || c.name == dhcp:
			_, err = initramfs.Build(ctx, s.ourConfig(n), path)
		default:
			err = s.makeInitrd(ctx, c.name, n, path)
		}
		if err != nil {
			return nil, fmt.Errorf("build the image of %s: %w", c.name, err)
		}
		st, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		out = append(out, image{c, path, st.Size()})
	}
	return out, nil
}

func (c candidate) build(k *kit, path string) error {
	t, err := c.tree(k)
	if err != nil {
		return err
	}
	if err := images.WriteInitrd(path+".cpio", t); err != nil {
		return err
	}
	return compress(path+".cpio", path, c.pack)
}

// compress compresses a file as well as it can be done.
func compress(from, to string, kind initramfs.Compression) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	var w io.WriteCloser
	if kind == initramfs.Gzip {
		w, err = gzip.NewWriterLevel(out, gzip.BestCompression)
	} else {
		w, err = zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(8<<20))
	}
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, in); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Close()
}
