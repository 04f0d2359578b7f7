// Package fstypes is the list of supported file systems: which of them may be root, how each is
// examined without a write to its disk, and which modules it needs. The formats of superblocks are
// in pkg/blockdev.
package fstypes

// Type is a file system, by the name that mount(2) takes.
type Type struct {
	Name string
	// Root reports whether root may be on it. Root is searched on such types only, and an image
	// can be built with their drivers.
	Root bool
	// ReadOnly is set if the kernel cannot write to it, so that root on it needs an overlay to
	// be writable.
	ReadOnly bool
	// NoReplay is the mount option that keeps the kernel from replaying the journal, which it
	// does otherwise, also in a mount that is read-only; empty if the file system has no
	// journal or no such option (fs/ext4/super.c: ext4_param_specs; fs/xfs/xfs_super.c:
	// xfs_fs_parameters; fs/btrfs/super.c: btrfs_parameter_rescue; fs/f2fs/super.c:
	// f2fs_tokens).
	NoReplay string
	// Modules are modules and aliases that the driver asks the kernel for, and that the index
	// of modules does not list as its dependencies.
	Modules []string
}

// types are in the order in which their drivers are looked for.
var types = [...]Type{
	{Name: "ext2", Root: true},
	{Name: "ext3", Root: true, NoReplay: "noload"},
	{Name: "ext4", Root: true, NoReplay: "noload"},
	{Name: "xfs", Root: true, NoReplay: "norecovery", Modules: []string{"crypto-crc32c"}},
	{
		Name: "btrfs", Root: true, NoReplay: "rescue=nologreplay",
		Modules: []string{"crypto-crc32c", "crypto-xxhash64", "crypto-sha256", "crypto-blake2b-256"},
	},
	{Name: "f2fs", Root: true, NoReplay: "norecovery", Modules: []string{"crypto-crc32"}},
	{Name: "erofs", Root: true, ReadOnly: true, Modules: []string{"crypto-crc32c"}},
	{Name: "squashfs", Root: true, ReadOnly: true},
	{Name: "iso9660", Root: true, ReadOnly: true, Modules: []string{"nls_utf8", "nls_iso8859_1"}}, // of Joliet's names
	{Name: "vfat"}, // has neither owners nor modes
}

// Of returns the row of a type; for a name that is not in the list, a row with the name only.
func Of(name string) Type {
	for _, t := range types {
		if t.Name == name {
			return t
		}
	}
	return Type{Name: name}
}

// Roots returns the names of the types that root may be on, in the order of the list.
func Roots() []string {
	var out []string
	for _, t := range types {
		if t.Root {
			out = append(out, t.Name)
		}
	}
	return out
}
