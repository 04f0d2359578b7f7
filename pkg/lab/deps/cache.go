// Package deps finds what scripts/deps.sh brought: kernels, boot loaders, firmware and programs, in
// its cache or installed.
package deps

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotCached is wrapped by the error for a missing item that scripts/deps.sh fetches.
var ErrNotCached = errors.New("not in the cache; run scripts/deps.sh")

// CacheDir is where scripts/deps.sh keeps what it brings.
func CacheDir() (string, error) {
	if dir := os.Getenv("ISCSIROOT_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache: %w", err)
	}
	return filepath.Join(dir, "iscsiroot"), nil
}

// Find finds a file or directory in the cache by a glob pattern that has to match exactly one.
func Find(what, pattern string) (string, error) {
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return "", fmt.Errorf("find %s: %w", what, err)
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("find %s: %s: %w", what, filepath.Join(dir, pattern), ErrNotCached)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("find %s: %s: more than one: %s", what, pattern, strings.Join(found, " "))
}

// MakeOnce makes a file of the cache, or a directory, under another name first, so that it exists
// completely or not at all, also when several processes make it. Entries of its directory that
// match the pattern are older forms of it, and are removed.
func MakeOnce(path, older string, write func(path string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	made := filepath.Join(temp, filepath.Base(path))
	if err := write(made); err != nil {
		return err
	}
	stale, err := filepath.Glob(filepath.Join(dir, older))
	if err != nil {
		return err
	}
	for _, name := range stale {
		if name == path { // another process has just made it
			continue
		}
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	if err := os.Rename(made, path); !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil // a directory that another process has just made (rename(2), ENOTEMPTY)
}

// Kernel is a distribution's kernel, unpacked.
type Kernel struct {
	// Image is the bootable file.
	Image string
	// ModulesRoot holds lib/modules/Release with all modules and depmod's index.
	ModulesRoot string
	// Release is what uname -r prints.
	Release string
}

// FindKernel finds a kernel that scripts/deps.sh brought: "amd64" is Debian's own, "amd64-6.12"
// that of its backports, "cloud-amd64" the one for virtual machines. A missing one is an
// [ErrNotCached].
func FindKernel(name string) (Kernel, error) {
	what := "kernel " + name
	image, err := Find(what, filepath.Join("kernels", name, "boot", "vmlinuz-*"))
	if err != nil {
		return Kernel{}, err
	}
	modules, err := Find(what, filepath.Join("kernels", name, "lib", "modules", "*", "modules.dep"))
	if err != nil {
		return Kernel{}, err
	}
	return Kernel{
		Image:       image,
		ModulesRoot: filepath.Join(filepath.Dir(image), ".."),
		Release:     filepath.Base(filepath.Dir(modules)),
	}, nil
}
