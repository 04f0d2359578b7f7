package volumes

import (
	"debug/elf"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// files are packages that are unpacked in the cache, with all libraries that they link.
type files struct{ dir string }

func findFiles(what, link string) (*files, error) {
	found, err := deps.Find(what, link)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.EvalSymlinks(found)
	return &files{dir}, err
}

// Mdadm is the program mdadm for a root, sbin/mdadm, with the libraries that it links. If it is not
// in the cache, the error is a [deps.ErrNotCached].
func Mdadm() (images.Tree, error) {
	f, err := findFiles("mdadm", "mdadm")
	if err != nil {
		return nil, err
	}
	t := images.Tree{}
	return t, f.addProgram(t, "sbin/mdadm")
}

// loader is what the kernel starts a program by.
const loader = "lib64/ld-linux-x86-64.so.2"

// addProgram adds a program or a library and the libraries that it names, if the tree does not have
// them already.
func (f *files) addProgram(t images.Tree, name string) error {
	target, err := filepath.EvalSymlinks(filepath.Join(f.dir, name))
	if err != nil {
		return err
	}
	t[name] = images.Copy(target)
	names, err := linked(target)
	if err != nil {
		return &fs.PathError{Op: "read", Path: target, Err: err}
	}
	for _, soname := range names {
		lib, err := f.library(soname)
		if err != nil {
			return err
		}
		if _, ok := t[lib]; ok {
			continue
		}
		if err := f.addProgram(t, lib); err != nil {
			return err
		}
	}
	return nil
}

// linked are the libraries that a program names.
func linked(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ImportedLibraries()
}

// library finds a library, below the directory of the packages.
func (f *files) library(soname string) (string, error) {
	if soname == path.Base(loader) {
		return loader, nil
	}
	for _, dir := range []string{"lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"} {
		name := path.Join(dir, soname)
		if _, err := os.Stat(filepath.Join(f.dir, name)); err == nil {
			return name, nil
		}
	}
	return "", &fs.PathError{Op: "find", Path: soname, Err: fs.ErrNotExist}
}
