package switchroot

import "strings"

// NoReplay returns the option with which a file system is mounted without a
// replay of its journal, which it does otherwise, also read-only. "": it has no
// journal, or no such option.
func NoReplay(fstype string) string {
	switch fstype {
	case "ext3", "ext4":
		return "noload" // fs/ext4/super.c: ext4_param_specs
	case "xfs", "f2fs":
		return "norecovery" // fs/xfs/xfs_super.c: xfs_fs_parameters, fs/f2fs/super.c: f2fs_tokens
	case "btrfs":
		return "rescue=nologreplay" // fs/btrfs/super.c: btrfs_parameter_rescue
	}
	return ""
}

// WithoutReplay returns c with that option. ok is false where there is none, c
// has it or one like it already, or c mounts read-write, which needs the replay.
func (c MountConfig) WithoutReplay() (out MountConfig, ok bool) {
	option := NoReplay(c.FSType)
	if option == "" || !c.ReadOnly() || forgoesReplay(c.Options) {
		return c, false
	}
	c.Options = strings.TrimPrefix(c.Options+","+option, ",")
	return c, true
}

// forgoesReplay tells whether one of the options, by any of its names, keeps a
// journal from being replayed. btrfs has a list with colons in rescue=.
func forgoesReplay(options string) bool {
	for _, o := range strings.FieldsFunc(options, func(c rune) bool { return c == ',' || c == ':' }) {
		switch strings.TrimPrefix(o, "rescue=") {
		case "noload", "norecovery", "nologreplay", "disable_roll_forward", "all":
			return true
		}
	}
	return false
}
