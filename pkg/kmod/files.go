package kmod

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxFolders bounds the folders that are looked at: a link can lead out of the tree. Debian's
// largest tree has 1100.
const maxFolders = 1 << 14

// moduleFiles returns the paths of all module files below a folder, or, flat, of those directly in
// it, sorted. As depmod does it follows symbolic links, those to folders once, and skips "build"
// and "source", where kernel headers are (tools/depmod.c of kmod, depmod_modules_search_dir). It
// skips dangling links, and folders that cannot be listed.
func moduleFiles(fsys fs.FS, dir string, flat bool) []string {
	l := lister{fsys: fsys, flat: flat}
	l.folder(dir, false)
	slices.Sort(l.out)
	return l.out
}

// lister lists a tree.
type lister struct {
	fsys    fs.FS
	flat    bool
	folders int // looked at so far
	out     []string
}

// folder lists one folder. linked is true below a symbolic link.
func (l *lister) folder(dir string, linked bool) {
	entries, err := fs.ReadDir(l.fsys, dir)
	if l.folders++; err != nil || l.folders > maxFolders {
		return
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		kind := e.Type()
		link := kind&fs.ModeSymlink != 0
		if link {
			st, err := fs.Stat(l.fsys, name)
			if err != nil {
				continue
			}
			kind = st.Mode().Type()
		}
		switch _, module := isModule(e.Name()); {
		case kind.IsDir() && !l.flat && e.Name() != "build" && e.Name() != "source" && !(link && linked):
			l.folder(name, link || linked)
		case kind.IsRegular() && module && len(l.out) < maxModules:
			l.out = append(l.out, name)
		}
	}
}

// list returns the module files of a tree and those beside it, the preferred one of several with
// one name first.
func (o Options) list(fsys fs.FS) []string {
	out := moduleFiles(fsys, ".", o.Flat)
	var sorted []string
	for order := range lastOrder + 1 {
		for _, name := range out {
			if searchOrder(name) == order {
				sorted = append(sorted, name)
			}
		}
	}
	if o.Above {
		sorted = append(sorted, moduleFiles(fsys, "..", true)...)
	}
	return sorted
}

// lastOrder is the greatest searchOrder.
const lastOrder = 3

// searchOrder is the place of a path in the order in which depmod prefers modules of one name, as
// Fedora sets it (depmod.d(5): "search updates extra built-in weak-updates"); other distributions
// use some of these words, in the same order.
func searchOrder(name string) int {
	folder, _, _ := strings.Cut(name, "/")
	switch folder {
	case "updates":
		return 0
	case "extra":
		return 1
	case "weak-updates":
		return lastOrder
	}
	return 2
}

// WithAbove returns a tree in which "../NAME" is a file of above, the directory above it.
func WithAbove(tree, above fs.FS) fs.FS { return withAbove{tree, above} }

type withAbove struct {
	fs.FS
	above fs.FS
}

// Open opens "../NAME" above the tree, and all else in it.
func (w withAbove) Open(name string) (fs.File, error) {
	if name == ".." {
		return w.above.Open(".")
	}
	if above, ok := strings.CutPrefix(name, "../"); ok {
		return w.above.Open(above)
	}
	return w.FS.Open(name)
}
