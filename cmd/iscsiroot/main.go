package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	serveTrial()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program, and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(stderr, "iscsiroot: %v\n", err)
		return 1
	}
	return 0
}

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
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newBuild(), newLs(), newCat(), newUnpack(), newCheck(), newExplain(), newPXE(), newDiscover(), newVersion(), newMan())
	root.AddCommand(linuxCommands(onLinux())...)
	return root
}
