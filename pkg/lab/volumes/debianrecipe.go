package volumes

import "fmt"

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
// root is for [Made.DebianDisks].
func DebianRecipe(name string, gpt bool) Recipe {
	table, pv := debianMBR, "${1}5"
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

const debianMBR = "label: dos\nstart=1MiB, size=16MiB, bootable\nstart=18MiB, type=5\nstart=19MiB, type=8e\n"

// DebianRAIDRecipe are two disks whose group has root as a mirror. The rest is that of
// [DebianRecipe].
func DebianRAIDRecipe(name string) Recipe {
	const table = "label: gpt\nstart=1MiB, size=16MiB\nstart=17MiB, size=1260MiB, type=E6D6D379-F507-44C2-A23C-238F2A3DF928\n"
	disk := Disk{MiB: 1280, Table: table}
	return Recipe{Name: name, Disks: []Disk{disk, disk}, Commands: fmt.Sprintf(`
vgcreate vg ${1}2 ${2}2
lvcreate -L 64M -n swap_1 vg ${1}2
lvcreate --type raid1 -m 1 -L %dM -n root vg
synced vg-root
mkswap /dev/vg/swap_1
`, debianMiB)}
}

// DebianThinRecipe is a disk whose group has root as a thin volume. [Made.DebianDisks] fills the
// origin from which it starts, vg/root_ro, which has the same UUID and is not activated with the
// group; what the machine writes is in its pool. The rest is that of [DebianRecipe].
func DebianThinRecipe(name string) Recipe {
	return Recipe{Name: name, Disks: []Disk{{MiB: 1536, Table: debianMBR}}, Commands: fmt.Sprintf(`
vgcreate vg ${1}5
lvcreate -L 64M -n swap_1 vg
lvcreate -L %dM -n root vg
lvcreate --type thin-pool -L 256M --poolmetadatasize 4M -n pool vg
lvchange -an vg/root
lvconvert -y --type thin --thinpool vg/pool --originname root_ro vg/root
lvchange -an vg/root_ro
lvchange -ky vg/root_ro
lvchange -ay vg/root
mkswap /dev/vg/swap_1
`, debianMiB)}
}
