package netboot

import (
	"fmt"
	"os"
	"path"
	"slices"
)

// Need is a file that machines load and that is not ours.
type Need struct {
	Path   string // in the tree
	How    string // to get it
	Loader bool   // a boot loader, which a card with iPXE in its ROM may do without
}

// Needs returns what has to be put into the tree beside our files: kernels, images and boot
// loaders, each once.
func (r *Room) Needs() []Need {
	var out []Need
	add := func(n Need) {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	for _, h := range r.Hosts {
		add(Need{h.Kernel, "copy the kernel to it", false})
		add(Need{h.Initrd, "build it with iscsiroot build", false})
	}
	for _, f := range r.BootLoader().needs {
		add(Need{f.name, "copy " + f.from, true})
	}
	return out
}

// Lacks returns what of Needs is not in the tree below dir, one line each.
func (r *Room) Lacks(dir string) []string {
	var out []string
	for _, n := range r.Needs() {
		if name := path.Join(dir, tree, n.Path); !exists(name) {
			out = append(out, fmt.Sprintf("%s is not there yet: %s", name, n.How))
		}
	}
	return out
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
