package initramfs_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "text"), []byte("text"))
	for name, want := range map[string]string{
		"none": "read image DIR/none: no such file or directory",
		".":    "read image DIR/.: not a regular file",
		"text": "read image DIR/text: segment 1 at byte 0: no initramfs: neither a cpio archive nor one that is compressed: it begins with 74 65 78 74",
	} {
		_, err := initramfs.Open(dir+"/"+name, archive.DefaultLimits)
		if err == nil || err.Error() != strings.ReplaceAll(want, "DIR", dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
