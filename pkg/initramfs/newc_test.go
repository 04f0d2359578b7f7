package initramfs_test

import (
	"bytes"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// newc writes an archive as u-root does.
func newc(t *testing.T, records ...cpio.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	w := cpio.Newc.Writer(&b)
	if err := cpio.WriteRecords(w, records); err != nil {
		t.Fatal(err)
	}
	if err := cpio.WriteTrailer(w); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func dir(name string) cpio.Record { return cpio.Directory(name, 0o755) }

func file(name, text string) cpio.Record { return cpio.StaticFile(name, text, 0o644) }

func tree(t *testing.T, image []byte) *archive.Tree {
	t.Helper()
	tree, err := archive.Read(image, archive.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
