package main

import (
	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/status"
)

// newStatus returns the status command.
func newStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: statusShort,
		Long: "status shows the state of this machine's iSCSI sessions, the program that recovers them,\n" +
			"their outages, the network that the boot configured, and the files by which it was\n" +
			"handed over. Its exit status is 1 if something is wrong. A system without this\n" +
			"program has the same as /run/initramfs/shutdown status.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return status.Print(cmd.OutOrStdout()) },
	}
}
