package switchroot

import (
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/fstypes"
)

// WithoutReplay returns c with the option that keeps its journal from being replayed, which a
// read-only mount does too. ok is false where there is none, c has it or one like it already, or c
// mounts read-write, which needs the replay.
func (c MountConfig) WithoutReplay() (out MountConfig, ok bool) {
	option := fstypes.Of(c.FSType).NoReplay
	if option == "" || !c.ReadOnly() || forgoesReplay(c.Options) {
		return c, false
	}
	c.Options = strings.TrimPrefix(c.Options+","+option, ",")
	return c, true
}

// forgoesReplay reports whether one of the options, by any of its names, keeps a journal from being
// replayed. btrfs has a list with colons in rescue=.
func forgoesReplay(options string) bool {
	for _, o := range strings.FieldsFunc(options, func(c rune) bool { return c == ',' || c == ':' }) {
		switch strings.TrimPrefix(o, "rescue=") {
		case "noload", "norecovery", "nologreplay", "disable_roll_forward", "all":
			return true
		}
	}
	return false
}
