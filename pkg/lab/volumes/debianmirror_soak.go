//go:build soak

package volumes

import (
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

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
	made, err := m.debianDisk(recipe, kind, copies[:1], mdadm.merge)
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

// merge makes the directory to which has the files of a root by hard links, and the packages' with
// the configuration that mdadm's installation writes.
func (f *files) merge(root, to string) (string, error) {
	const script = `set -e
cp -al "$2" "$1"
tar -C "$3" -c sbin etc lib/udev lib/systemd usr/share/mdadm | tar -C "$1" -x --keep-directory-symlink
mkdir -p "$1/etc/mdadm"
printf 'HOMEHOST <system>\nMAILADDR root\n' >"$1/etc/mdadm/mdadm.conf"
`
	if out, err := exec.Command("sh", "-c", script, "merge", to, root, f.dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("add mdadm to %s: %w: %s", root, err, out)
	}
	return to, nil
}
