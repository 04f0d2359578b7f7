package volumes

import (
	"fmt"
	"os"
	"os/exec"
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

// DebianMirrorRecipe are two disks as Debian's installer lays out LVM on a mirror: /boot is on the
// first, and the PV is an array of a partition of each. The rest is that of [DebianRecipe]; root is
// for [Made.DebianMirror].
func DebianMirrorRecipe(name string) Recipe {
	const table = "label: gpt\nstart=1MiB, size=16MiB\nstart=17MiB, size=1260MiB, type=A19D880F-05FC-4D3B-A006-743F0F84911E\n"
	disk := Disk{MiB: 1280, Table: table}
	return Recipe{Name: name, Disks: []Disk{disk, disk}, Commands: fmt.Sprintf(`
array pv --level=1 --raid-devices=2 --bitmap=internal ${1}2 ${2}2
vgcreate vg /dev/md/pv
lvcreate -L 64M -n swap_1 vg
lvcreate -L %dM -n root vg
mkswap /dev/vg/swap_1
`, debianMiB)}
}

// DebianDisk is the disk of a [DebianRecipe] of the set with an [images.DebianRoot] on it: /boot is
// partition 1 of its methods, and root, the volume vg/root, partition 2. It is made once and kept
// in the cache; path becomes a clone of it.
func (m *Made) DebianDisk(recipe, kind, path string) (*images.Disk, error) {
	told, err := m.told(recipe)
	if err != nil {
		return nil, err
	}
	d, err := m.debianDisk(recipe, kind, told.pieces[debianVolume], nil)
	if err != nil {
		return nil, fmt.Errorf("make disk of debian %s on %s: %w", kind, recipe, err)
	}
	return d.Clone(path)
}

// DebianMirror are the disks of a [DebianMirrorRecipe] of the set with an [images.DebianRoot] on
// them, which has mdadm: partition 2 of each one's methods is its copy of root, and partition 1 of
// the first is /boot. They are made in dir, which exists.
func (m *Made) DebianMirror(recipe, kind, dir string) (first, second *images.Disk, err error) {
	told, err := m.told(recipe)
	if err != nil {
		return nil, nil, err
	}
	copies := told.members[debianVolume]
	if len(copies) != 2 {
		return nil, nil, fmt.Errorf("make disks of debian %s on %s: %d copies of root", kind, recipe, len(copies))
	}
	mdadm, err := findFiles("mdadm", "mdadm")
	if err != nil {
		return nil, nil, err
	}
	made, err := m.debianDisk(recipe, kind, copies[:1], mdadm)
	if err != nil {
		return nil, nil, fmt.Errorf("make disks of debian %s on %s: %w", kind, recipe, err)
	}
	if first, err = made.Clone(filepath.Join(dir, "first")); err != nil {
		return nil, nil, err
	}
	second = images.OpenDisk(filepath.Join(dir, "second"), debianBootAt, copies[1].Offset)
	if _, err = images.OpenDisk(filepath.Join(m.dir, diskName(recipe, 1))).Clone(second.Path); err == nil {
		err = copyPiece(second.Path, first.Path, copies)
	}
	return first, second, err
}

// copyPiece copies the first of two copies over the second.
func copyPiece(to, from string, copies []Piece) error {
	cmd := exec.Command("dd", "conv=sparse,notrunc", "bs=1M", "iflag=skip_bytes,count_bytes,fullblock", "oflag=seek_bytes", "status=none", "if="+from, "of="+to,
		fmt.Sprintf("skip=%d", copies[0].Offset), fmt.Sprintf("count=%d", copies[0].Size), fmt.Sprintf("seek=%d", copies[1].Offset))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("copy root: %w: %s", err, out)
	}
	return nil
}

func (m *Made) told(recipe string) (told, error) {
	facts, err := os.ReadFile(filepath.Join(m.dir, factsFile))
	if err != nil {
		return told{}, err
	}
	return parseFacts(string(facts), recipe)
}

// debianDisk makes the first disk of a recipe with root in the first of the pieces, which has mdadm
// too if that is given.
func (m *Made) debianDisk(recipe, kind string, pieces []Piece, mdadm *files) (*images.Disk, error) {
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
		if mdadm != nil {
			merged := filepath.Join(filepath.Dir(path), "root")
			if err := mdadm.merge(merged, tree); err != nil {
				return err
			}
			tree = merged
		}
		return images.Filesystem{MiB: debianMiB, Directory: tree}.Make(path, pieces[0].Offset)
	})
}
