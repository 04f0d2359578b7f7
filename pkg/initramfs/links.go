package initramfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/network/linkfile"
)

// addLinks puts the files by which the administrator of root names NICs into the image,
// systemd.link(5), with their drop-ins, and returns how many there are: ip= and the real system
// then have one name for a NIC. The user's files for the image take precedence. Distributions' own
// files are not needed: init has what they say.
func (t tree) addLinks(root string) (n int, err error) {
	dir := filepath.Join(root, linkfile.Dir)
	var names []string
	for _, pattern := range []string{"*.link", "*.link.d/*.conf"} {
		found, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			return 0, fmt.Errorf("add the files of %s: %w", dir, err)
		}
		names = append(names, found...)
	}
	for _, name := range names {
		in := path.Join(linkfile.Dir, name)
		if _, ok := t[in]; ok {
			continue
		}
		text, err := linkText(root, filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) { // a link to nothing
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("add %s: %w", filepath.Join(dir, name), cause(err))
		}
		if err := t.add(in, entry{mode: cpio.S_IFREG | 0o644, data: content(text), size: int64(len(text))}); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// linkText reads a file below root, or what it is a link to there. Without a byte it hides others,
// as a link to /dev/null does.
func linkText(root, name string) ([]byte, error) {
	if target, err := os.Readlink(name); err == nil && filepath.IsAbs(target) {
		if target == os.DevNull {
			return nil, nil
		}
		name = filepath.Join(root, target)
	}
	return ReadRegular(name, linkfile.MaxFile)
}
