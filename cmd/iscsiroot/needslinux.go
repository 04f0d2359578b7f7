package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// linuxCommand is a command that works on Linux alone.
type linuxCommand struct{ use, short, why string }

// linuxCommands returns the commands that need Linux: made by what makes has for a name, or else
// one that fails with the reason why it does not run on this system, with any arguments.
func linuxCommands(makes map[string]func() *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, c := range []linuxCommand{
		{"try", tryShort, "it boots machines in QEMU in a network namespace"},
		{"status", statusShort, "it reads the sessions of the running kernel from sysfs"},
	} {
		if made := makes[c.use]; made != nil {
			out = append(out, made())
			continue
		}
		out = append(out, &cobra.Command{
			Use:                c.use,
			Short:              c.short + " (needs Linux)",
			DisableFlagParsing: true,
			RunE:               func(*cobra.Command, []string) error { return fmt.Errorf("%s: needs Linux: %s", c.use, c.why) },
		})
	}
	return out
}

const (
	tryShort    = "boot a machine of the hosts file in QEMU, from its netboot files"
	statusShort = "show the state of the iSCSI sessions in the running system"
)
