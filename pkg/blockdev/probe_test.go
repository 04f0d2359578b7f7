package blockdev

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first 2048 bytes of file systems made by mke2fs 1.47 with the options in
// the name, see testdata/README.
func TestProbeReal(t *testing.T) {
	tests := map[string]string{
		"ext2.sb":              "ext2",
		"ext3.sb":              "ext3",
		"ext4.sb":              "ext4",
		"ext4-nojournal.sb":    "ext4",
		"ext4-1k-blocks.sb":    "ext4",
		"ext3-journal-dev.sb":  "",
		"ext4-bigalloc-64k.sb": "ext4",
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ProbeDevice(filepath.Join("testdata", name))
			if got.Type != want || (want == "") != errors.Is(err, ErrNoFilesystem) {
				t.Errorf("got %+v, %v, want %q", got, err, want)
			}
		})
	}
}

func TestProbeNothing(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty": nil, "short": make([]byte, extOffset+extEnd-1), "zeros": make([]byte, 4096),
	} {
		if fsys, err := Probe(bytes.NewReader(b)); !errors.Is(err, ErrNoFilesystem) {
			t.Errorf("%s: %+v, %v", name, fsys, err)
		}
	}
	if _, err := ProbeDevice("testdata"); err == nil || errors.Is(err, ErrNoFilesystem) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := ProbeDevice("testdata/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func FuzzProbe(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.sb")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range seeds {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys, err := Probe(bytes.NewReader(b))
		if err == nil && !strings.HasPrefix(fsys.Type, "ext") {
			t.Errorf("accepted %+v", fsys)
		}
	})
}
