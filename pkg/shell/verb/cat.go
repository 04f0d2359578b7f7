package verb

import (
	"context"
	"io"
	"os"
)

func catVerb() Verb {
	return Verb{Name: "cat", Args: "[FILE...]", Help: "show files", Group: Files, Run: func(ctx context.Context, c *Call) error {
		_, args, err := c.options("")
		if err != nil {
			return err
		}
		return c.inputs(ctx, args, func(_ string, r io.Reader) error {
			_, err := io.Copy(c.Out, r)
			return err
		})
	}}
}

// inputs calls f for each file; no file and "-" are standard input.
func (c *Call) inputs(ctx context.Context, paths []string, f func(name string, r io.Reader) error) error {
	if len(paths) == 0 {
		paths = []string{"-"}
	}
	return each(ctx, paths, func(path string) error {
		if path == "-" {
			return f(path, c.In)
		}
		file, err := os.Open(c.Path(path))
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		return f(path, &contextReader{ctx, file})
	})
}

// contextReader ends with its context: a file can be endless.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
