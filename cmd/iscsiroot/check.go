package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/system"
)

// newCheck returns the check command.
func newCheck() *cobra.Command {
	var m initramfs.Machine
	var limits archive.Limits
	var modaliases []string
	var host bool
	var root string
	cmd := &cobra.Command{
		Use:   "check IMAGE",
		Short: "check whether an initramfs can boot",
		Long: `check looks at an initramfs as the kernel and init will: is there an init that can
run, are parameters missing or not understood, does the command line fit the kernel's
limits, are the modules of iSCSI, of the root file system and of the network card
there, with their firmware, and is there a secret for the target. With --root it looks
also at the system that is to run: at its etc/fstab, at the files in which LVM and mdadm
have what root stands on, and at LVM's devices file.

Exit status 1 if the boot would fail; what is only doubtful is a warning.`,
		Example: "  iscsiroot check initrd.img --cmdline 'iscsi_i=... iscsi_a=...' --nic 8086:100e",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range modaliases {
				devices, err := initramfs.ReadDevices(name)
				if err != nil {
					return err
				}
				m.Devices = append(m.Devices, devices...)
			}
			if host {
				devices, err := initramfs.HostDevices("/sys")
				if err != nil {
					return err
				}
				m.Devices = append(m.Devices, devices...)
			}
			if root != "" {
				var err error
				if m.System, err = system.Read(os.DirFS(root)); err != nil {
					return fmt.Errorf("%s: %w", root, err)
				}
			}
			t, err := initramfs.Open(args[0], limits)
			if err != nil {
				return err
			}
			findings, err := initramfs.Check(t, m)
			if err != nil {
				return fmt.Errorf("read image %s: %w", args[0], err)
			}
			return printFindings(cmd.OutOrStdout(), args[0], findings)
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&m.CommandLine, "cmdline", "", "the kernel command line `TEXT`")
	fs.StringSliceVar(&m.Devices, "nic", nil, "look for the driver of this PCI `CARD` VVVV:DDDD, or modalias; repeatable")
	fs.StringSliceVar(&modaliases, "modaliases", nil, "look for the drivers of the devices in `FILE`; repeatable")
	fs.BoolVar(&host, "host", false, "look for the drivers of this machine's devices")
	fs.StringVar(&root, "root", "", "look for the drivers of what etc/fstab of the system in `DIR` has for / and /usr and of the volumes and arrays below, by its files, and at its list of LVM's devices")
	fs.StringVar(&m.Release, "kernel-version", "", "the kernel is of `VERSION` (default: the one whose modules there are)")
	defineLimits(fs, &limits)
	return cmd
}

// printFindings prints the findings, and returns an error if a boot would fail.
func printFindings(w io.Writer, image string, findings []initramfs.Finding) error {
	var b strings.Builder
	fatal := 0
	for _, f := range findings {
		word := "warning"
		if f.Fatal {
			word = "error"
			fatal++
		}
		fmt.Fprintf(&b, "%s: %s\n", word, f.Text)
	}
	if len(findings) == 0 {
		fmt.Fprintf(&b, "%s: nothing is missing\n", image)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	if fatal > 0 {
		return fmt.Errorf("%s: a boot would fail: problems: %d", image, fatal)
	}
	return nil
}
