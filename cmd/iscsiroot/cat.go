package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// newCat returns the cat command.
func newCat() *cobra.Command {
	var limits archive.Limits
	cmd := &cobra.Command{
		Use:     "cat IMAGE NAME...",
		Short:   "print files of an initramfs",
		Long:    "cat prints files of an initramfs one behind the other. Symbolic links are followed\ninside of the image.",
		Example: "  iscsiroot cat initrd.img etc/iscsiroot/default",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := initramfs.Open(args[0], limits)
			if err != nil {
				return err
			}
			for _, name := range args[1:] {
				n, err := t.Follow(name)
				if err != nil {
					return err
				}
				if n.Type() != archive.TypeRegular {
					return fmt.Errorf("%s: not a regular file", name)
				}
				if err := t.CopyTo(cmd.OutOrStdout(), n); err != nil {
					return err
				}
			}
			return nil
		},
	}
	defineLimits(cmd.Flags(), &limits)
	return cmd
}
