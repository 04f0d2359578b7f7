package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

func busyboxPath() (string, error) {
	dir, err := deps.CacheDir()
	return filepath.Join(dir, "busybox/bin/busybox"), err
}

// packages is the tree that "scripts/deps.sh bench" has unpacked: Debian's own binaries.
type packages struct{ root string }

func openPackages() (packages, error) {
	dir, err := deps.CacheDir()
	if err != nil {
		return packages{}, err
	}
	p := packages{filepath.Join(dir, "bench")}
	if _, err := os.Stat(filepath.Join(p.root, ".complete")); err != nil {
		return p, fmt.Errorf("%w; run scripts/deps.sh bench", err)
	}
	return p, nil
}

// addTo puts programs into t's bin, and the libraries they need, all together, into libDir, or
// where the package has them if that is empty.
func (p packages) addTo(t images.Tree, libDir string, programs ...string) error {
	for _, name := range programs {
		file, err := p.find(name, "bin", "sbin", "usr/bin", "usr/sbin")
		if err != nil {
			return err
		}
		t["bin/"+name] = images.Copy(file)
		if err := p.addLibraries(t, libDir, file); err != nil {
			return fmt.Errorf("libraries of %s: %w", name, err)
		}
	}
	return nil
}

// addLibraries adds the interpreter and the libraries that an ELF file names, and those that these
// name.
func (p packages) addLibraries(t images.Tree, libDir, file string) error {
	f, err := elf.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if interpreter := interpreter(f); interpreter != "" {
		source, err := p.library(path.Base(interpreter))
		if err != nil {
			return err
		}
		t[strings.TrimPrefix(interpreter, "/")] = images.Copy(source)
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, name := range names {
		source, err := p.library(name)
		if err != nil {
			return err
		}
		dir := libDir
		if dir == "" {
			dir = path.Join("lib", filepath.Base(filepath.Dir(source))) // lib/x86_64-linux-gnu, where ld.so looks first
		}
		if at := path.Join(dir, name); t[at].Source == "" {
			t[at] = images.Copy(source)
			if err := p.addLibraries(t, libDir, source); err != nil {
				return err
			}
		}
	}
	return nil
}

func interpreter(f *elf.File) string {
	for _, prog := range f.Progs {
		if prog.Type == elf.PT_INTERP {
			b, err := io.ReadAll(prog.Open())
			if err == nil {
				return strings.TrimRight(string(b), "\x00")
			}
		}
	}
	return ""
}

func (p packages) library(name string) (string, error) {
	return p.find(name, "lib/*-linux-gnu", "usr/lib/*-linux-gnu")
}

// find finds a file by name in directories of the tree. A link's target is found by name too: it
// may be absolute, and would lead out of the tree.
func (p packages) find(name string, dirs ...string) (string, error) {
	for _, dir := range dirs {
		found, err := filepath.Glob(filepath.Join(p.root, dir, name))
		if err != nil || len(found) == 0 {
			continue
		}
		target, err := os.Readlink(found[0])
		if err != nil || filepath.Base(target) == name {
			return found[0], nil
		}
		return p.find(filepath.Base(target), dirs...)
	}
	return "", fmt.Errorf("find %s in %s: %w; run scripts/deps.sh bench", name, p.root, errors.ErrUnsupported)
}
