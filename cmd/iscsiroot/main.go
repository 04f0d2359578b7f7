package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func main() {
	serveTrial()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25) // what an image takes is counted against a limit, and the garbage beside it is not
	}
	os.Exit(interruptible(endingSignals(), func(ctx context.Context) int {
		return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}))
}

// run is the program, and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case errors.Is(err, errNoCommand):
		fmt.Fprint(stderr, firstSteps)
		return 2
	case errors.Is(err, context.Canceled): // by a signal, which the exit status contains
		return 1
	case err != nil:
		fmt.Fprintf(stderr, "iscsiroot: %v\n", withOption(err))
		return 1
	}
	return 0
}

// errNoCommand is that of a call without a command.
var errNoCommand = errors.New("no command")

// firstSteps is what a call without a command shows.
const firstSteps = `iscsiroot boots machines without a disk from iSCSI LUNs. To boot the first one:
  1. iscsiroot build --output initrd.img      make an image for this machine's kernel
  2. iscsiroot pxe --help                     describe the machine in hosts.yaml, as shown there
  3. iscsiroot pxe hosts.yaml /srv/netboot    write the files for PXELINUX, dnsmasq and the target
  4. copy the kernel, the image and pxelinux.0 to /srv/netboot/tftp; start target and dnsmasq
  5. iscsiroot try NAME                       boot the machine in QEMU; then switch the real one on
If it fails: iscsiroot explain, iscsiroot check, iscsiroot man failures
The whole way, step by step: iscsiroot man netboot
Parameters of the kernel command line: iscsiroot man parameters
All commands: iscsiroot --help    all pages of the manual: iscsiroot man
`

// newRoot returns the command with all its subcommands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "iscsiroot",
		Short: "boot machines from iSCSI disks",
		Long: "iscsiroot makes the boot files of machines whose root file system is on an iSCSI disk.\n" +
			"It runs on the host that serves the boot files and needs no privilege, try excepted.",
		Args:              cobra.NoArgs,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE:              func(*cobra.Command, []string) error { return errNoCommand },
	}
	root.AddCommand(newBuild(), newLs(), newCat(), newUnpack(), newCheck(), newExplain(), newPXE(), newDiscover(), newVersion(), newMan())
	root.AddCommand(linuxCommands(onLinux())...)
	return root
}
