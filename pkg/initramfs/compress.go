package initramfs

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Compression names how an image is compressed.
type Compression string

// The compressions that Linux unpacks and this package writes.
const (
	Zstd   Compression = "zstd"
	Zstd19 Compression = "zstd-19" // by the program zstd, which packs tighter and takes longer
	Gzip   Compression = "gzip"
	XZ     Compression = "xz"
	None   Compression = "none"
)

// ParseCompression returns the compression of that name.
func ParseCompression(name string) (Compression, error) {
	switch c := Compression(name); c {
	case Zstd, Zstd19, Gzip, XZ, None:
		return c, nil
	}
	return "", fmt.Errorf("compression %q: use zstd, zstd-19, gzip, xz or none", name)
}

// zstdWindow is in bytes, and xz's dictionary. RFC 8878, section 3.1.1.1.2, recommends that every
// decoder supports 8 MiB; the kernel accepts more, but has to allocate the memory while it unpacks.
const zstdWindow = 8 << 20

// compressor returns a writer that compresses into w. One goroutine, a fixed level and no time
// stamp make the output depend on the input only.
func compressor(ctx context.Context, w io.Writer, c Compression) (io.WriteCloser, error) {
	switch c {
	case Zstd, "":
		return zstd.NewWriter(w,
			zstd.WithEncoderLevel(zstd.SpeedBestCompression),
			zstd.WithWindowSize(zstdWindow),
			zstd.WithEncoderConcurrency(1))
	case Zstd19:
		return newExternal(ctx, w, "zstd", "-q", "-19", "-T1", "-c")
	case Gzip:
		return gzip.NewWriterLevel(w, gzip.BestCompression)
	case XZ:
		// The kernel does not support CRC64, xz's default (lib/xz/xz_dec_stream.c).
		return xz.WriterConfig{DictCap: zstdWindow, CheckSum: xz.CRC32}.NewWriter(w)
	case None:
		return nopCloser{w}, nil
	}
	return nil, fmt.Errorf("compression %q: use zstd, zstd-19, gzip, xz or none", c)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// external is a program that packs its standard input.
type external struct {
	io.WriteCloser

	cmd    *exec.Cmd
	stderr strings.Builder
}

func newExternal(ctx context.Context, w io.Writer, name string, args ...string) (*external, error) {
	e := &external{cmd: exec.CommandContext(ctx, name, args...)}
	e.cmd.Stdout, e.cmd.Stderr = w, &e.stderr
	in, err := e.cmd.StdinPipe()
	if err == nil {
		err = e.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	e.WriteCloser = in
	return e, nil
}

// Close waits for the program.
func (e *external) Close() error {
	e.WriteCloser.Close()
	if err := e.cmd.Wait(); err != nil {
		text, _, _ := strings.Cut(strings.TrimSpace(e.stderr.String()), "\n")
		return fmt.Errorf("run %s: %w: %s", e.cmd.Args[0], err, text)
	}
	return nil
}

// counter counts what is written through it, and calls the progress function.
type counter struct {
	w    io.Writer
	n    int64
	tell func(n int64)
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.add(int64(n))
	return n, err
}

func (c *counter) add(n int64) {
	c.n += n
	if c.tell != nil {
		c.tell(c.n)
	}
}
