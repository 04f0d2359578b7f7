package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/unpack"
)

// newUnpack returns the unpack command.
func newUnpack() *cobra.Command {
	var limits archive.Limits
	cmd := &cobra.Command{
		Use:   "unpack IMAGE DIR",
		Short: "unpack an initramfs into a directory",
		Long: `unpack writes what the kernel makes of an initramfs into the directory DIR, which
must be empty or not be there. Nothing is written outside of it, even for a hostile image.
Device nodes and owners are set by root alone, and nodes on Linux alone. What is left out,
and each entry of which the kernel makes something else than its name says, is listed on
standard error.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := initramfs.Open(args[0], limits)
			if err != nil {
				return err
			}
			skipped, err := unpack.Into(cmd.Context(), t, args[1])
			if err != nil {
				return err
			}
			for _, line := range skipped {
				fmt.Fprintf(cmd.ErrOrStderr(), "iscsiroot: left out: %s\n", line)
			}
			printOdd(cmd.ErrOrStderr(), t)
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d names from %d segments\n", args[1], len(t.Names())-len(skipped), len(t.Segments))
			return err
		},
	}
	defineLimits(cmd.Flags(), &limits)
	return cmd
}
