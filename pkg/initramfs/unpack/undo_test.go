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
)

// countdown is a context that ends when it is looked at for the last time.
type countdown struct {
	context.Context

	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// When unpack is ended at any time, a directory that it has made is removed, and an existing one is
// empty.
func TestTakesBack(t *testing.T) {
	closed := dir("closed")
	closed.Mode = cpio.S_IFDIR
	image := newctest.Tree(t, newctest.Archive(t, dir("a"), file("a/b", "b"), closed, file("closed/c", "c"), cpio.Symlink("d", "a")))
	for n, done := int64(0), false; !done; n++ {
		made, there := filepath.Join(t.TempDir(), "new/dir"), t.TempDir()
		for _, into := range []string{made, there} {
			ctx := &countdown{Context: t.Context()}
			ctx.left.Store(n)
			_, err := unpack.Into(ctx, image, into)
			if done = err == nil; done {
				if n < 10 {
					t.Errorf("not ended when the context was looked at %d times", n)
				}
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			left, err := os.ReadDir(into)
			if into == made && !errors.Is(err, fs.ErrNotExist) || into == there && err != nil || len(left) > 0 {
				t.Errorf("ended after %d: left %v, %v", n, left, err)
			}
		}
		if _, err := os.Stat(filepath.Dir(made)); !done && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ended after %d: %s is left, %v", n, filepath.Dir(made), err)
		}
	}
}
