package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// On another system the commands that need Linux are listed, and print why they do not run, with
// any arguments.
func TestCommandsElsewhere(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"try remote1 --hosts hosts.yaml --write", "try: needs Linux: it boots machines in QEMU in a network namespace"},
		{"try --help", "try: needs Linux: it boots machines in QEMU in a network namespace"},
		{"status", "status: needs Linux: it reads the sessions of the running kernel from sysfs"},
	} {
		root := &cobra.Command{Use: "iscsiroot", SilenceUsage: true, SilenceErrors: true}
		root.AddCommand(linuxCommands(nil)...)
		root.SetArgs(strings.Fields(c.args))
		root.SetOut(io.Discard)
		if err := root.Execute(); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.args, err, c.want)
		}
		if usage := root.UsageString(); strings.Count(usage, "(needs Linux)") != 2 {
			t.Errorf("usage: %s", usage)
		}
	}
}
