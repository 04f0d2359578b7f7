//go:build linux

package main

import (
	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/status"
)

// newStatus returns the status command.
func newStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "tell how the sessions of this machine are, in the running system",
		Long: "status tells how the iSCSI sessions of this machine are, who looks after them, how often\n" +
			"they were away, what became of the network that the boot brought up, and by which files\n" +
			"it was handed over. Its exit status is 1 if something is wrong. A system without this\n" +
			"program has the same as /run/initramfs/shutdown status.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return status.Print(cmd.OutOrStdout()) },
	}
}
