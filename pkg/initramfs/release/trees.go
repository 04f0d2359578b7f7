package release

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Advise adds to an error of a module tree that is not there which ones are below root, and the
// options that name another one.
func Advise(err error, root string) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if found := trees(root); len(found) > 0 {
		return fmt.Errorf("%w: there is %s: select one with --kernel-version, or another file system with --root", err, strings.Join(found, ", "))
	}
	return fmt.Errorf("%w: there are no modules of any kernel: install a kernel's package, "+
		"or unpack one and give its directory with --root and its release with --kernel-version", err)
}

// trees lists the kernels that have a module tree in the file system at root, sorted.
func trees(root string) []string {
	var out []string
	for _, lib := range []string{"lib/modules", "usr/lib/modules"} {
		entries, _ := os.ReadDir(filepath.Join(root, lib)) // one that is not there holds none
		for _, e := range entries {
			if st, err := os.Stat(filepath.Join(root, lib, e.Name())); err == nil && st.IsDir() {
				out = append(out, e.Name())
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
