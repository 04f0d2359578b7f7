package modload

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Tree returns the module tree of a kernel release in the file system at root:
// ROOT/lib/modules/RELEASE or ROOT/usr/lib/modules/RELEASE. If neither is a directory, the error
// wraps fs.ErrNotExist.
func Tree(root, release string) (string, error) {
	if !fs.ValidPath(release) || filepath.Base(release) != release || release == "." {
		return "", fmt.Errorf("%q is not a kernel release", release)
	}
	lib := filepath.Join(root, "lib/modules", release)
	usr := filepath.Join(root, "usr/lib/modules", release)
	for _, dir := range []string{lib, usr} {
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			return dir, nil
		}
	}
	return "", fmt.Errorf("modules of kernel %s: neither %s nor %s is there: %w", release, lib, usr, fs.ErrNotExist)
}
