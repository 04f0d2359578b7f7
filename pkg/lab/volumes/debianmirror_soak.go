//go:build soak

package volumes

import "fmt"

// DebianMirrorRecipe are two disks as Debian's installer lays out LVM on a mirror: /boot is on the
// first, and the PV is an array of a partition of each. The rest is that of [DebianRecipe].
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
