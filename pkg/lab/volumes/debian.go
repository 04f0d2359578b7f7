package volumes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

const (
	debianMiB     = 1024 // of root
	debianBootMiB = 16
	debianBootAt  = 1 << 20
	// debianBoot is in the fstab that scripts/debian-root writes.
	debianBoot = "6b656e63-0000-4000-8000-00000000b007"
	// debianVolume is root's name in that, as device-mapper has it.
	debianVolume = "vg-root"
)

// DebianRecipe is a disk as Debian's installer partitions it for LVM: with an MBR /boot, and the PV
// in a logical partition; with a GPT a partition for GRUB besides. The volumes for swap and root
// are in it, and free extents behind them, so that root stays in one piece when it is made larger;
// root is for [Made.DebianDisk].
func DebianRecipe(name string, gpt bool) Recipe {
	table, pv := "label: dos\nstart=1MiB, size=16MiB, bootable\nstart=18MiB, type=5\nstart=19MiB, type=8e\n", "${1}5"
	if gpt {
		table = "label: gpt\nstart=1MiB, size=16MiB\nstart=17MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649\n" +
			"start=18MiB, size=1260MiB, type=E6D6D379-F507-44C2-A23C-238F2A3DF928\n"
		pv = "${1}3"
	}
	return Recipe{Name: name, Disks: []Disk{{MiB: 1280, Table: table}}, Commands: fmt.Sprintf(`
vgcreate vg %s
lvcreate -L 64M -n swap_1 vg
lvcreate -L %dM -n root vg
mkswap /dev/vg/swap_1
`, pv, debianMiB)}
}

// DebianDisk is the disk of a [DebianRecipe] of the set with an [images.DebianRoot] on it: /boot is
// partition 1 of its methods, and root, the volume vg/root, partition 2. It is made once and kept
// in the cache; path becomes a clone of it.
func (m *Made) DebianDisk(recipe, kind, path string) (*images.Disk, error) {
	told, err := m.told(recipe)
	if err != nil {
		return nil, err
	}
	d, err := m.debianDisk(recipe, kind, told.pieces[debianVolume], func(tree, _ string) (string, error) { return tree, nil })
	if err != nil {
		return nil, fmt.Errorf("make disk of debian %s on %s: %w", kind, recipe, err)
	}
	return d.Clone(path)
}

func (m *Made) told(recipe string) (told, error) {
	facts, err := os.ReadFile(filepath.Join(m.dir, factsFile))
	if err != nil {
		return told{}, err
	}
	return parseFacts(string(facts), recipe)
}

// debianDisk makes the first disk of a recipe with root in the first of the pieces. More is the
// directory that root is made of instead of tree, which may be made as path.
func (m *Made) debianDisk(recipe, kind string, pieces []Piece, more func(tree, path string) (string, error)) (*images.Disk, error) {
	if len(pieces) == 0 || pieces[0].Disk != 0 {
		return nil, fmt.Errorf("volume %s: %w", debianVolume, errNotLinear)
	}
	root, err := images.DebianRoot(kind)
	if err != nil {
		return nil, err
	}
	tree, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	cache, err := deps.CacheDir()
	if err != nil {
		return nil, err
	}
	name := strings.Join([]string{recipe, kind, filepath.Base(filepath.Dir(tree)), filepath.Base(m.dir)}, "-")
	d := images.OpenDisk(filepath.Join(cache, "disks", name), debianBootAt, pieces[0].Offset)
	if _, err := os.Stat(d.Path); err == nil {
		return d, nil
	}
	return d, deps.MakeOnce(d.Path, recipe+"-"+kind+"-*", func(path string) error {
		if _, err := images.OpenDisk(filepath.Join(m.dir, diskName(recipe, 0))).Clone(path); err != nil {
			return err
		}
		boot := images.Filesystem{MiB: debianBootMiB, UUID: debianBoot, Tree: images.Tree{"grub": images.Dir()}}
		if err := boot.Make(path, debianBootAt); err != nil {
			return err
		}
		tree, err := more(tree, filepath.Join(filepath.Dir(path), "root"))
		if err != nil {
			return err
		}
		return images.Filesystem{MiB: debianMiB, Directory: tree}.Make(path, pieces[0].Offset)
	})
}
