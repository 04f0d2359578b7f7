package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// noArguments is cobra.NoArgs without the argument in its message: it may be a word of a command
// line whose quotes are missing, and a secret.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments and got %d: put a TEXT with blanks in quotes", cmd.Name(), len(args))
	}
	return nil
}
