package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// newUnpack returns the unpack command.
func newUnpack() *cobra.Command {
	return &cobra.Command{
		Use:   "unpack IMAGE DIR",
		Short: "unpack an initramfs into a directory",
		Long: `unpack writes what the kernel makes of an initramfs into the directory DIR, which
must be empty or not be there. Nothing is written outside of it, even for a hostile image.
Device nodes are made by root on Linux alone.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := initramfs.Open(args[0])
			if err != nil {
				return err
			}
			skipped, err := initramfs.Unpack(cmd.Context(), t, args[1])
			if err != nil {
				return err
			}
			for _, name := range skipped {
				fmt.Fprintf(cmd.ErrOrStderr(), "iscsiroot: %s: left out: only root on Linux can make device nodes\n", words.Plain(name))
			}
			for _, name := range t.Lost {
				fmt.Fprintf(cmd.ErrOrStderr(), "iscsiroot: %s: left out: its directory is missing, so the kernel does not unpack it either\n", words.Plain(name))
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d names from %d segments\n", args[1], len(t.Names())-len(skipped), len(t.Segments))
			return err
		},
	}
}
