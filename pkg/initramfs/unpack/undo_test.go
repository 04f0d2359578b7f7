package unpack_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/unpack"
	"github.com/iscsiroot/iscsiroot/pkg/internal/newctest"
	"github.com/iscsiroot/iscsiroot/pkg/outfile"
)

// countdown is a context that ends when it is looked at for the last time, and calls ended then.
type countdown struct {
	context.Context

	left  atomic.Int64
	ended func()
}

func (c *countdown) Err() error {
	left := c.left.Add(-1)
	if left == -1 {
		c.ended()
	}
	if left < 0 {
		return context.Canceled
	}
	return nil
}

// When unpack is ended at any time, and the process with it or not, a directory that it has made is
// removed, and an existing one is empty.
func TestTakesBack(t *testing.T) {
	closed := dir("closed")
	closed.Mode = cpio.S_IFDIR
	image := newctest.Tree(t, newctest.Archive(t, dir("a"), file("a/b", "b"), closed, file("closed/c", "c"), cpio.Symlink("d", "a")))
	for n, done := int64(0), false; !done; n++ {
		made, there := filepath.Join(t.TempDir(), "new/dir"), t.TempDir()
		for _, into := range []string{made, there} {
			check := func(how string) {
				left, err := os.ReadDir(into)
				if into == made && !errors.Is(err, fs.ErrNotExist) || into == there && err != nil || len(left) > 0 {
					t.Errorf("ended %s after %d: left %v, %v", how, n, left, err)
				}
				if _, err := os.Stat(filepath.Dir(made)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("ended %s after %d: %s is left, %v", how, n, filepath.Dir(made), err)
				}
			}
			var undo outfile.Undo
			ctx := &countdown{Context: t.Context(), ended: func() {
				undo.Run()
				check("with the process")
			}}
			ctx.left.Store(n)
			_, err := unpack.Into(outfile.WithUndo(ctx, &undo), image, into)
			if done = err == nil; done {
				if n < 10 {
					t.Errorf("not ended when the context was looked at %d times", n)
				}
				break
			}
			check("by itself")
		}
	}
}
