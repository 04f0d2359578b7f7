package initramfs_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

func packInit(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "init")
	if err := os.WriteFile(path, []byte("the program"), 0o755); err != nil {
		t.Fatal(err)
	}
	packed, err := initramfs.PackInit(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestPackedInit(t *testing.T) {
	packed := packInit(t)
	for _, c := range []struct {
		name     string
		how      initramfs.Compression
		modTime  uint32
		segments int
	}{
		{"as it is", "", 0, 2},
		{"as it is, by name", initramfs.Zstd, 0, 2},
		{"another compression", initramfs.Gzip, 0, 1},
		{"another time", initramfs.Zstd, 1, 1},
	} {
		var trees [2]*archive.Tree
		var sums [2]initramfs.Summary
		for i := range trees {
			cfg := config(t)
			cfg.Compression, cfg.ModTime = c.how, c.modTime
			cfg.Init = []byte("the program")
			var done, total int64
			cfg.Progress = func(d, all int64) { done, total = d, all }
			if i == 1 {
				cfg.Init, cfg.PackedInit = nil, packed
			}
			var b bytes.Buffer
			var err error
			if sums[i], err = initramfs.Write(t.Context(), &b, cfg); err != nil {
				t.Fatal(err)
			}
			if done != total || done == 0 {
				t.Errorf("%s: %d of %d bytes at the end", c.name, done, total)
			}
			if i == 1 && bytes.HasSuffix(b.Bytes(), packed) != (c.segments == 2) {
				t.Errorf("%s: packed anew, or not", c.name)
			}
			if trees[i], err = archive.Read(b.Bytes(), archive.DefaultLimits); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(trees[1].Segments); n != c.segments {
			t.Errorf("%s: %d segments, want %d", c.name, n, c.segments)
		}
		if diff := cmp.Diff(trees[0].Names(), trees[1].Names()); diff != "" {
			t.Errorf("%s: -one archive +packed:\n%s", c.name, diff)
		}
		n, err := trees[1].Follow("init")
		if err != nil || string(n.Data()) != "the program" || n.Mode != archive.TypeRegular|0o755 || n.MTime != c.modTime {
			t.Errorf("%s: init is %+v, %v", c.name, n, err)
		}
		if a, b := sums[0], sums[1]; a.Files != b.Files || c.segments == 1 && a.Unpacked != b.Unpacked || b.Unpacked < a.Unpacked {
			t.Errorf("%s: %+v, packed %+v", c.name, a, b)
		}
	}
}

// What is not init alone is refused before anything is written.
func TestPackedInitBad(t *testing.T) {
	good := packInit(t)
	two, err := initramfs.Archive([]initramfs.File{{Path: "init", Data: []byte("i"), Mode: 0o755}, {Path: "other", Data: []byte("o"), Mode: 0o644}})
	if err != nil {
		t.Fatal(err)
	}
	link, err := initramfs.Archive([]initramfs.File{{Path: "init", Data: []byte("/bin/sh"), Mode: fs.ModeSymlink}})
	if err != nil {
		t.Fatal(err)
	}
	for name, packed := range map[string][]byte{"cut off": good[:len(good)-1], "no archive": []byte("no archive"), "two files": two, "a link": link} {
		cfg := config(t)
		cfg.Init, cfg.PackedInit, cfg.Compression = nil, packed, initramfs.Zstd
		var b bytes.Buffer
		if _, err := initramfs.Write(t.Context(), &b, cfg); err == nil || !strings.HasPrefix(err.Error(), "unpack init: ") || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, b.Len())
		}
	}
}
