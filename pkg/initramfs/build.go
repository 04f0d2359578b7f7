package initramfs

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Build writes the image that cfg describes to a file, mode 0644, or 0600 if it holds a secret or
// anything that not all users of this host may read. The file appears when it is complete: on an
// error there is none, and one that was there before stays as it was.
func Build(ctx context.Context, cfg Config, output string) (Summary, error) {
	img, err := prepare(ctx, cfg)
	if err != nil {
		return Summary{}, err
	}
	short, err := img.shortSecrets(output)
	if err != nil {
		return Summary{}, err
	}
	img.sum.Warnings = append(img.sum.Warnings, short...)
	if st, err := os.Stat(output); err == nil && !st.Mode().IsRegular() {
		return Summary{}, fmt.Errorf("write %s: not a regular file", output)
	}
	tmp, err := os.CreateTemp(filepath.Dir(output), "."+filepath.Base(output)+".*")
	if err != nil {
		return Summary{}, fmt.Errorf("write %s: %w", output, cause(err))
	}
	sum, err := img.writeFile(ctx, tmp)
	if err == nil {
		err = os.Rename(tmp.Name(), output)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return Summary{}, fmt.Errorf("write %s: %w", output, err)
	}
	return sum, nil
}

// writeFile writes the image to f, sees that it is on disk, and closes f.
func (img *image) writeFile(ctx context.Context, f *os.File) (Summary, error) {
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	sum, err := img.write(ctx, w)
	if err != nil {
		return Summary{}, err
	}
	if err := w.Flush(); err != nil {
		return Summary{}, err
	}
	mode := os.FileMode(0o644)
	if sum.Secret {
		mode = 0o600
	}
	if err := f.Chmod(mode); err != nil {
		return Summary{}, err
	}
	if err := f.Sync(); err != nil {
		return Summary{}, err
	}
	return sum, f.Close()
}
