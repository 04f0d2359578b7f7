package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// pageName is the name of a command's page: iscsiroot-build.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// commandPage writes the source of a command's page, from what --help shows.
func commandPage(c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s(8): %s\n\n## SYNOPSIS\n\n    %s\n\n## DESCRIPTION\n\n%s\n", pageName(c), c.Short, c.UseLine(), indented(c.Long))
	b.WriteString("## OPTIONS\n\n")
	c.InitDefaultHelpFlag()
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" && f.NoOptDefVal == "" {
			name += " " + value
		} else if value != "" {
			name += "[=" + value + "]"
		}
		fmt.Fprintf(&b, "`%s`\n: %s\n\n", name, usage)
	})
	if c.Example != "" {
		b.WriteString("## EXAMPLES\n\n" + indented(c.Example) + "\n")
	}
	b.WriteString("## SEE ALSO\n\niscsiroot(8)\n")
	return b.String()
}

// indented makes the lines that are indented in the help, by two spaces, such that stay as they are
// in the manual.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text + "\n") {
		if strings.HasPrefix(line, "  ") {
			line = "  " + line
		}
		b.WriteString(line)
	}
	return b.String()
}
