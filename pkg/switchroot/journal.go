package switchroot

import (
	"slices"
	"strings"
)

// journaled is a file system that replays its journal at a mount, also at a
// read-only one.
type journaled struct {
	option string   // keeps it from that
	others []string // do so too, or more
}

// journals are the file systems of which that is known. The others have no
// journal, or no such option.
var journals = map[string]journaled{
	"ext3":  {"noload", []string{"norecovery"}},                            // fs/ext4/super.c: ext4_param_specs
	"ext4":  {"noload", []string{"norecovery"}},                            // the same
	"xfs":   {"norecovery", nil},                                           // fs/xfs/xfs_super.c: xfs_fs_parameters
	"btrfs": {"rescue=nologreplay", []string{"nologreplay", "rescue=all"}}, // fs/btrfs/super.c: btrfs_parameter_rescue
	"f2fs":  {"norecovery", []string{"disable_roll_forward"}},              // fs/f2fs/super.c: f2fs_tokens
}

// NoReplay returns the option with which a file system is mounted without a
// replay of its journal, "" if it has none.
func NoReplay(fstype string) string { return journals[fstype].option }

// WithoutReplay returns c with that option. ok is false where there is none, c
// has it or one like it already, or c mounts read-write, which needs the replay.
func (c MountConfig) WithoutReplay() (out MountConfig, ok bool) {
	j := journals[c.FSType]
	if j.option == "" || !c.ReadOnly() || c.forgoesReplay(j) {
		return c, false
	}
	c.Options = strings.TrimPrefix(c.Options+","+j.option, ",")
	return c, true
}

// forgoesReplay tells whether the options have one that keeps the journal from
// being replayed. Those of rescue= may be several, with colons.
func (c MountConfig) forgoesReplay(j journaled) bool {
	for o := range strings.SplitSeq(c.Options, ",") {
		if list, ok := strings.CutPrefix(o, "rescue="); ok {
			for one := range strings.SplitSeq(list, ":") {
				if o = "rescue=" + one; o == j.option || slices.Contains(j.others, o) {
					return true
				}
			}
		}
		if o == j.option || slices.Contains(j.others, o) {
			return true
		}
	}
	return false
}
