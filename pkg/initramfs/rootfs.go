package initramfs

import (
	"cmp"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// rootFS is a file system as on the machine whose root directory it is: the target of a symbolic
// link, absolute or through "..", stays in it. RHEL's weak-updates are absolute links into the
// trees of other releases.
//
// Links are followed here and not by openat2(2) with RESOLVE_IN_ROOT, which systems other than
// Linux lack, and so do kernels before 5.6. It is no protection against links that change
// meanwhile.
type rootFS string

// Open opens a file of the machine.
func (root rootFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	f, err := root.open(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: filepath.Join(string(root), name), Err: cause(err)}
	}
	return f, nil
}

func (root rootFS) open(name string) (*os.File, error) {
	found, err := root.follow(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(found, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO does not stop it
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() && !st.IsDir() {
		f.Close()
		return nil, cmp.Or(err, errNotRegular)
	}
	return f, nil
}

// maxLinks is how many links a name may lead through (include/linux/namei.h: MAXSYMLINKS).
const maxLinks = 40

// follow returns the path on this host that a name of the machine leads to. Whether the file exists
// is known when it is opened.
func (root rootFS) follow(name string) (string, error) {
	at := "." // below root, free of links
	for links := 0; name != ""; {
		var first string
		first, name, _ = strings.Cut(name, "/")
		switch first {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at) // the root directory is its own parent
			continue
		}
		next := path.Join(at, first)
		target, err := os.Readlink(filepath.Join(string(root), next))
		if err != nil { // not a link
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", syscall.ELOOP
		}
		if path.IsAbs(target) {
			at = "."
		}
		name = target + "/" + name
	}
	return filepath.Join(string(root), at), nil
}

// sub returns what is below a directory.
func (root rootFS) sub(dir string) (fs.FS, error) {
	rel, err := filepath.Rel(string(root), dir)
	if err != nil {
		return nil, err
	}
	return fs.Sub(root, filepath.ToSlash(rel))
}
