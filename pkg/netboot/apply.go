package netboot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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

	// Foreign tells that the file is not as the last run has written it.
	Foreign bool

	hidden bool // the old content is a secret
}

// maxOld bounds a file of an earlier run, in bytes: dnsmasq.conf of 10,000 hosts has 3 MB.
const maxOld = 64 << 20

// Compare returns what is different in a directory, which need not be there. The list of what was
// written, which pxe keeps for itself, is not among it.
func Compare(dir string, files []File) ([]Change, error) {
	changes, err := compare(dir, files)
	return shown(changes), err
}

// shown leaves the manifest out.
func shown(changes []Change) []Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return c.File.Path == manifest })
}

// compare returns what is different, with the manifest.
func compare(dir string, files []File) ([]Change, error) {
	before, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	m, err := manifestOf(files)
	if err != nil {
		return nil, err
	}
	files = append(slices.Clone(files), m)
	var out []Change
	for _, f := range files {
		name := path.Join(dir, f.Path)
		old, err := initramfs.ReadRegular(name, maxOld)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			out = append(out, Change{Kind: "new", File: f})
		case err != nil:
			return nil, fmt.Errorf("read what is there: %s: %w", name, err)
		case !bytes.Equal(old, f.Data) || f.Secret && tooOpen(name):
			st, err := os.Stat(name)
			out = append(out, Change{
				Kind: "changed", File: f, Old: old,
				Foreign: f.Path != manifest && !bytes.Equal(old, f.Data) && !before.isOurs(f.Path, old),
				hidden:  err != nil || st.Mode().Perm()&0o004 == 0 || holdsSecret(f.Path, old),
			})
		}
	}
	return append(out, stale(dir, files, before)...), nil
}

func tooOpen(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode().Perm()&0o077 != 0
}

// stale returns files of an earlier run that are not wanted any more.
func stale(dir string, files []File, before record) []Change {
	wanted := map[string]bool{}
	for _, f := range files {
		wanted[f.Path] = true
	}
	var out []Change
	for _, name := range slices.Sorted(maps.Keys(before)) {
		st, err := os.Lstat(path.Join(dir, name))
		if wanted[name] || err != nil || st.IsDir() {
			continue
		}
		c := Change{Kind: "removed", File: File{Path: name}}
		if before[name] != "" {
			old, err := initramfs.ReadRegular(path.Join(dir, name), maxOld)
			c.Foreign = err != nil || !before.isOurs(name, old)
		}
		out = append(out, c)
	}
	return out
}

// Diff returns what a change does to a file, line by line. Of a secret it tells nothing.
func (c Change) Diff() string {
	secret := c.Kind != "removed" && (c.File.Secret || c.hidden)
	head := c.Kind + " " + c.File.Path
	if secret {
		head += " (holds a secret, which is not shown)"
	}
	if c.Foreign {
		head += " (changed by hand, or not written by pxe)"
	}
	if secret || c.Kind == "removed" {
		return head + "\n"
	}
	old, now := lines(c.Old), lines(c.File.Data)
	for len(old) > 0 && len(now) > 0 && old[0] == now[0] {
		old, now = old[1:], now[1:]
	}
	for len(old) > 0 && len(now) > 0 && old[len(old)-1] == now[len(now)-1] {
		old, now = old[:len(old)-1], now[:len(now)-1]
	}
	var b strings.Builder
	b.WriteString(head)
	for _, l := range old {
		b.WriteString("\n-" + l)
	}
	for _, l := range now {
		b.WriteString("\n+" + l)
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
