//go:build linux

package modload

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// Logger is what Open reports to.
type Logger interface {
	Warnf(format string, args ...any)
	Debugf(format string, args ...any)
}

type silent struct{}

func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// Open finds the modules of a kernel release in the file system at root, normally "/", and returns
// what loads them, according to modprobe.d(5) and the parameters. The tree is lib/modules/RELEASE
// or usr/lib/modules/RELEASE, with an index or without, and the module files directly above it;
// else all of those in lib/modules or usr/lib/modules. log gets what is wrong with the tree as
// warnings, and all else as Options.Debugf does; it may be nil.
//
// Modules that are all of other releases are a *kmod.ReleaseError. No modules at all are no error:
// the index is empty.
func Open(root, release string, given bootspec.Modules, log Logger) (*Loader, *kmod.Index, error) {
	if log == nil {
		log = silent{}
	}
	dir, idx, err := openTree(root, release, func(err error) { log.Warnf("modules: %v", err) })
	if err != nil {
		return nil, nil, err
	}
	config := kmod.ReadConfig(os.DirFS(root), func(err error) { log.Debugf("%v", err) })
	for _, name := range given.Blacklist {
		config.Blacklist[name] = true
	}
	// The kernel takes the last of two values: the command line is written for this boot, the
	// files are in the image.
	for name, params := range given.Params {
		config.Params[name] = joinParams(config.Params[name], params)
	}
	idx = idx.WithConfig(config)
	opts := Options{Params: config.Params, Never: given.Never, Release: release, Debugf: log.Debugf}
	return New(idx, dir, opts), idx, nil
}

// joinParams puts parameters behind others.
func joinParams(a, b string) string { return strings.TrimSpace(a + " " + b) }

// normalise writes a module name as the kernel compares it.
func normalise(name string) string { return strings.ReplaceAll(name, "-", "_") }

// openTree finds the tree and its index.
func openTree(root, release string, note func(error)) (dir string, idx *kmod.Index, err error) {
	opts := kmod.Options{Release: release, Unpack: unpackFile, Note: note}
	if dir, err = Tree(root, release); err == nil {
		opts.Above = true
		idx, err = kmod.Open(kmod.WithAbove(os.DirFS(dir), os.DirFS(filepath.Dir(dir))), opts)
		return dir, idx, err
	}
	opts.Flat = true
	var others []string
	for _, dir = range moduleDirs(root) {
		idx, err = kmod.Open(os.DirFS(dir), opts)
		if err != nil || len(idx.Modules()) > 0 {
			return dir, idx, err
		}
		others = append(others, folders(dir)...)
	}
	if len(others) > 0 {
		return "", nil, &kmod.ReleaseError{Running: release, Held: others}
	}
	return filepath.Join(moduleDirs(root)[0], release), idx, nil
}

// moduleDirs are where the trees of all releases are.
func moduleDirs(root string) []string {
	return []string{filepath.Join(root, "lib/modules"), filepath.Join(root, "usr/lib/modules")}
}

// folders returns the names of the folders in a directory that hold something.
func folders(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if below, err := os.ReadDir(filepath.Join(dir, e.Name())); err == nil && len(below) > 0 {
			out = append(out, e.Name())
		}
	}
	return out
}

// String describes the modules and their directory, for a log.
func (l *Loader) String() string {
	return fmt.Sprintf("%d modules in %s", len(l.idx.Modules()), l.dir)
}
