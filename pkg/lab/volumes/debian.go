package volumes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// DebianDisks are the disks of a recipe for Debian of the set, with an [images.DebianRoot] on them:
// /boot is partition 1 of the first one's methods, and root, or its copy of root, partition 2 of
// each one's. They are made in dir, which exists. What is made of the tree is kept in the cache.
func (m *Made) DebianDisks(recipe, kind, dir string) ([]*images.Disk, error) {
	disks, err := m.debianDisks(recipe, kind, dir)
	if err != nil {
		return nil, fmt.Errorf("make disks of debian %s on %s: %w", kind, recipe, err)
	}
	return disks, nil
}

func (m *Made) debianDisks(recipe, kind, dir string) ([]*images.Disk, error) {
	told, err := m.told(recipe)
	if err != nil {
		return nil, err
	}
	copies, err := told.rootCopies()
	if err != nil {
		return nil, err
	}
	made, err := m.debianDisk(recipe, kind, copies[0])
	if err != nil {
		return nil, err
	}
	first, err := made.Clone(filepath.Join(dir, diskName(recipe, 0)))
	if err != nil {
		return nil, err
	}
	disks := []*images.Disk{first}
	for _, c := range copies[1:] {
		name := diskName(recipe, c.Disk)
		d := images.OpenDisk(filepath.Join(dir, name), debianBootAt, c.Offset)
		if _, err := images.OpenDisk(filepath.Join(m.dir, name)).Clone(d.Path); err != nil {
			return nil, err
		}
		if err := copyPiece(d.Path, first.Path, c, copies[0]); err != nil {
			return nil, err
		}
		disks = append(disks, d)
	}
	return disks, nil
}

func (m *Made) told(recipe string) (told, error) {
	facts, err := os.ReadFile(filepath.Join(m.dir, factsFile))
	if err != nil {
		return told{}, err
	}
	return parseFacts(string(facts), recipe)
}

var errNoCopy = errors.New("root is not in one piece on each of its disks")

// rootCopies are the places of root's content, of which the first is on the first disk: the volume
// itself, its copies on the members of an array, the images of a mirror, or the origin of a thin
// volume, which has no table of its own name but that of the layer.
func (t *told) rootCopies() ([]Piece, error) {
	copies := t.members[debianVolume]
	for _, names := range [][]string{{debianVolume}, {debianVolume + "_rimage_0", debianVolume + "_rimage_1"}, {debianVolume + "_ro-real"}} {
		if len(copies) > 0 {
			break
		}
		for _, name := range names {
			if pieces := t.pieces[name]; len(pieces) == 1 && pieces[0].Disk == len(copies) {
				copies = append(copies, pieces[0])
			}
		}
	}
	if len(copies) == 0 || copies[0].Disk != 0 {
		return nil, fmt.Errorf("volume %s: %w", debianVolume, errNoCopy)
	}
	return copies, nil
}

// debianDisk makes the first disk of a recipe with /boot, and with root at its place.
func (m *Made) debianDisk(recipe, kind string, at Piece) (*images.Disk, error) {
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
	what := recipe + "-" + kind + "." // a kind may begin with another
	name := what + filepath.Base(filepath.Dir(tree)) + "-" + filepath.Base(m.dir)
	d := images.OpenDisk(filepath.Join(cache, "disks", name), debianBootAt, at.Offset)
	if _, err := os.Stat(d.Path); err == nil {
		return d, nil
	}
	return d, deps.MakeOnce(d.Path, what+"*", func(path string) error {
		if _, err := images.OpenDisk(filepath.Join(m.dir, diskName(recipe, 0))).Clone(path); err != nil {
			return err
		}
		boot := images.Filesystem{MiB: debianBootMiB, UUID: debianBoot, Tree: images.Tree{"grub": images.Dir()}}
		if err := boot.Make(path, debianBootAt); err != nil {
			return err
		}
		return images.Filesystem{MiB: debianMiB, Directory: tree}.Make(path, at.Offset)
	})
}

// copyPiece copies a piece of one image over that of another.
func copyPiece(to, from string, over, piece Piece) error {
	cmd := exec.Command("dd", "conv=sparse,notrunc", "bs=1M", "iflag=skip_bytes,count_bytes,fullblock", "oflag=seek_bytes", "status=none", "if="+from, "of="+to,
		fmt.Sprintf("skip=%d", piece.Offset), fmt.Sprintf("count=%d", piece.Size), fmt.Sprintf("seek=%d", over.Offset))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("copy root: %w: %s", err, out)
	}
	return nil
}
