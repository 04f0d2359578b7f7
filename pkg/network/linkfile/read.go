package linkfile

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/regular"
)

// Limits of what is read: the image is untrusted.
const (
	MaxFile  = 64 << 10 // bytes
	maxFiles = 256      // of each directory
)

// Dir is where an administrator's files are, without the leading slash.
const Dir = "etc/systemd/network"

// dirs are the directories of udev (systemd.link(5)): of two files with one name the one in the
// first directory is used.
var dirs = []string{Dir, "run/systemd/network", "usr/local/lib/systemd/network", "usr/lib/systemd/network", "lib/systemd/network"}

// defaults are the files that distributions have: systemd's own and Debian's for USB. They are used
// where the image has no file of that name.
var defaults = map[string]string{
	"73-usb-net-by-mac.link": "[Match]\nPath=*-usb-*\n[Link]\nNamePolicy=mac\n",
	"99-default.link":        "[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep kernel database onboard slot path\n",
}

// Read returns the files of a root in the order in which they are compared, with their drop-ins,
// and the errors of those that cannot be read. A file that is empty, or a device such as /dev/null,
// hides those of its name in later directories.
func Read(root fs.FS) ([]*File, []error) {
	r := reader{root: root}
	found := r.list("", ".link")
	for name := range defaults {
		if found[name] == "" {
			found[name] = "the default " + name
		}
	}
	var files []*File
	for _, name := range sorted(found) {
		where, text := found[name], defaults[name]
		if strings.Contains(where, "/") {
			where, text = "/"+where, r.read(where)
		}
		if text == "" {
			continue
		}
		f := Parse(where, text)
		dropins := r.list(name+".d", ".conf")
		for _, dropin := range sorted(dropins) {
			f.add(r.read(dropins[dropin]))
		}
		files = append(files, f)
	}
	return files, r.errs
}

type reader struct {
	root fs.FS
	errs []error
}

// list returns the paths of the files to use in sub of the directories, by their names.
func (r *reader) list(sub, suffix string) map[string]string {
	out := map[string]string{}
	for _, dir := range dirs {
		entries, err := fs.ReadDir(r.root, path.Join(dir, sub))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.errs = append(r.errs, err)
		}
		if len(entries) > maxFiles {
			r.errs = append(r.errs, fmt.Errorf("%s: more than %d files: the others are ignored", path.Join(dir, sub), maxFiles))
			entries = entries[:maxFiles]
		}
		for _, e := range entries {
			name := e.Name()
			if !strings.HasSuffix(name, suffix) || out[name] != "" {
				continue
			}
			if info, err := fs.Stat(r.root, path.Join(dir, sub, name)); err == nil && !info.IsDir() {
				out[name] = path.Join(dir, sub, name)
			}
		}
	}
	return out
}

// read returns a file's text, nothing if it is a device.
func (r *reader) read(name string) string {
	b, err := regular.Read(r.root, name, MaxFile)
	switch {
	case err == nil || errors.Is(err, regular.ErrNotRegular):
		return string(b)
	case errors.Is(err, regular.ErrTooLarge):
		err = fmt.Errorf("%s: larger than %d KiB: ignored", name, MaxFile>>10)
	}
	r.errs = append(r.errs, err)
	return ""
}

func sorted(m map[string]string) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
