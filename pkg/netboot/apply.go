package netboot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// Change is what is different between the files that are wanted and those that are there.
type Change struct {
	Kind string // "new", "changed" or "removed"
	File File   // as it is to be; of one that is removed the path only
	Old  []byte // content that is there; nil if it is new

	hidden bool // the old content is a secret
}

// manifest lists what was written, so that files of machines that are no more can be removed.
const manifest = ".iscsiroot-pxe"

// maxOld bounds a file of an earlier run, in bytes: dnsmasq.conf of 10,000 hosts has 3 MB.
const maxOld = 64 << 20

// Compare returns what is different in a directory, which need not be there.
func Compare(dir string, files []File) ([]Change, error) {
	files = append(slices.Clone(files), list(files))
	var out []Change
	for _, f := range files {
		old, err := initramfs.ReadRegular(path.Join(dir, f.Path), maxOld)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			out = append(out, Change{Kind: "new", File: f})
		case err != nil:
			return nil, fmt.Errorf("read what is there: %s: %w", path.Join(dir, f.Path), err)
		case !bytes.Equal(old, f.Data) || f.Secret && tooOpen(path.Join(dir, f.Path)):
			st, err := os.Stat(path.Join(dir, f.Path))
			out = append(out, Change{"changed", f, old, err != nil || st.Mode().Perm()&0o004 == 0 || holdsSecret(f.Path, old)})
		}
	}
	gone, err := stale(dir, files)
	return append(out, gone...), err
}

// list returns the manifest of files.
func list(files []File) File {
	var b strings.Builder
	b.WriteString(written)
	for _, f := range files {
		b.WriteString(f.Path + "\n")
	}
	return File{Path: manifest, Data: []byte(b.String())}
}

func tooOpen(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode().Perm()&0o077 != 0
}

// stale returns files of an earlier run that are not wanted any more.
func stale(dir string, files []File) ([]Change, error) {
	old, err := initramfs.ReadRegular(path.Join(dir, manifest), maxOld)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what is there: %s: %w", path.Join(dir, manifest), err)
	}
	wanted := map[string]bool{}
	for _, f := range files {
		wanted[f.Path] = true
	}
	var out []Change
	for line := range strings.Lines(string(old)) {
		name := strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(name, "#") || !fs.ValidPath(name) || wanted[name] {
			continue
		}
		if st, err := os.Lstat(path.Join(dir, name)); err == nil && !st.IsDir() {
			out = append(out, Change{Kind: "removed", File: File{Path: name}})
		}
	}
	return out, nil
}

// Diff returns what a change does to a file, line by line. Of a secret it tells nothing.
func (c Change) Diff() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", c.Kind, c.File.Path)
	switch {
	case c.Kind == "removed":
	case c.File.Secret, c.hidden:
		b.WriteString(" (holds a secret, which is not shown)")
	default:
		old, now := lines(c.Old), lines(c.File.Data)
		for len(old) > 0 && len(now) > 0 && old[0] == now[0] {
			old, now = old[1:], now[1:]
		}
		for len(old) > 0 && len(now) > 0 && old[len(old)-1] == now[len(now)-1] {
			old, now = old[:len(old)-1], now[:len(now)-1]
		}
		for _, l := range old {
			b.WriteString("\n-" + l)
		}
		for _, l := range now {
			b.WriteString("\n+" + l)
		}
	}
	return b.String() + "\n"
}

// lines returns the lines of a text without their ends.
func lines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
