package initramfs

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"github.com/iscsiroot/iscsiroot/pkg/outfile"
)

// Build writes the image that cfg describes to a file, mode 0644, or 0600 if it holds a secret or
// anything that not all users of this host may read. The file appears when it is complete: after an
// error there is none, and an earlier one is unchanged.
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
	f, err := outfile.Create(ctx, output)
	if err != nil {
		return Summary{}, fmt.Errorf("write %s: %w", output, cause(err))
	}
	sum, err := img.writeFile(ctx, f)
	if err != nil {
		f.Discard()
		return Summary{}, fmt.Errorf("write %s: %w", output, err)
	}
	mode := os.FileMode(0o644)
	if sum.Secret {
		mode = 0o600
	}
	if err := f.Commit(mode); err != nil {
		return Summary{}, fmt.Errorf("write %s: %w", output, err)
	}
	return sum, nil
}

// writeFile writes the image to f.
func (img *image) writeFile(ctx context.Context, f *outfile.File) (Summary, error) {
	w := bufio.NewWriterSize(&pieces{ctx: ctx, f: f}, pieceBytes)
	sum, err := img.write(ctx, w)
	if err != nil {
		return Summary{}, err
	}
	return sum, w.Flush()
}

// pieceBytes is how much is written before the context is looked at. After pieceSync bytes they are
// sent to the disk: fsync(2) of a whole image on a slow disk would take longer than a signal may
// wait, and it cannot be interrupted.
const (
	pieceBytes = 1 << 20
	pieceSync  = 8 << 20
)

// pieces writes to a file as long as its context lasts.
type pieces struct {
	ctx   context.Context
	f     *outfile.File
	dirty int // bytes since the last fsync
}

func (p *pieces) Write(data []byte) (n int, err error) {
	for len(data) > 0 && err == nil {
		if err := p.ctx.Err(); err != nil {
			return n, err
		}
		var wrote int
		wrote, err = p.f.Write(data[:min(len(data), pieceBytes)])
		n, data, p.dirty = n+wrote, data[wrote:], p.dirty+wrote
		if p.dirty >= pieceSync && err == nil {
			p.dirty, err = 0, p.f.Sync()
		}
	}
	return n, err
}
