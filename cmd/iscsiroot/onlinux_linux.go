package main

import (
	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/trial"
)

// onLinux makes the commands that need Linux, by name.
func onLinux() map[string]func() *cobra.Command {
	return map[string]func() *cobra.Command{"try": newTry, "status": newStatus}
}

// serveTrial does not return in a process that is the target of try.
func serveTrial() { trial.Main() }
