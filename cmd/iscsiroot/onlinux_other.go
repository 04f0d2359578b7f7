//go:build !linux

package main

import "github.com/spf13/cobra"

// onLinux makes no command: this is another system.
func onLinux() map[string]func() *cobra.Command { return nil }

// serveTrial does nothing: there is no try.
func serveTrial() {}
