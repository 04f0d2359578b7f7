// Package newctest is for tests of images: archives in the newc format, by u-root's writer.
package newctest

import (
	"bytes"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// Archive writes an archive as u-root does.
func Archive(t testing.TB, records ...cpio.Record) []byte {
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

// Tree reads an image within the default limits.
func Tree(t testing.TB, image []byte) *archive.Tree {
	t.Helper()
	tree, err := archive.Read(image, archive.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
