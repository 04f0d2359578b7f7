package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// newMan returns the command that packages are made with; users have no need of it.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "write the manual pages into a directory",
		Long:   "man writes a manual page for each command, and iscsiroot(7) about the parameters on the kernel\ncommand line, into DIR/man1 and DIR/man7.",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages := map[string]string{"man7/iscsiroot.7": parametersPage(bootspec.Table())}
			for _, c := range append([]*cobra.Command{cmd.Root()}, cmd.Root().Commands()...) {
				if c.IsAvailableCommand() && c.Name() != "help" || c == cmd.Root() {
					pages["man1/"+pageName(c)+".1"] = commandPage(c)
				}
			}
			for name, text := range pages {
				path := filepath.Join(args[0], name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// pageName is what man is asked for: iscsiroot, iscsiroot-build.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// commandPage writes the page of a command, of what --help shows.
func commandPage(c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"iscsiroot %s\"\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n%s\n.fi\n", strings.ToUpper(roff(pageName(c))),
		roff(version), roff(pageName(c)), roff(c.Short), roff(c.UseLine()))
	b.WriteString(".SH DESCRIPTION\n" + roffText(c.Long))
	if c.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "help" {
				fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", roff(pageName(sub)), roff(sub.Short))
			}
		}
	}
	b.WriteString(".SH OPTIONS\n")
	c.InitDefaultHelpFlag()
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(f)
		name := "\\-\\-" + roff(f.Name)
		if f.Shorthand != "" {
			name = "\\-" + f.Shorthand + ", " + name
		}
		if value != "" && f.NoOptDefVal == "" {
			name += " " + roff(value)
		} else if value != "" {
			name += "[=" + roff(value) + "]"
		}
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", name, roff(usage))
	})
	if c.Example != "" {
		b.WriteString(".SH EXAMPLES\n.nf\n" + roff(c.Example) + "\n.fi\n")
	}
	b.WriteString(".SH SEE ALSO\n.BR iscsiroot (1),\n.BR iscsiroot (7)\n")
	return b.String()
}

// parametersPage writes the page about the words that init understands.
func parametersPage(rows []bootspec.Parameter) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH ISCSIROOT 7 \"\" \"iscsiroot %s\"\n.SH NAME\niscsiroot \\- parameters on the kernel command line of a machine that boots from an iSCSI disk\n", roff(version))
	b.WriteString(".SH DESCRIPTION\n" + roffText("These parameters are read by the init that iscsiroot build puts into an initramfs. iscsiroot explain shows what a machine would do with them.\n\n"+
		"They are read as the kernel reads them: double quotes quote, -- ends, and of a parameter that is given twice the last one is used."))
	b.WriteString(".SH PARAMETERS\n")
	for _, p := range rows {
		word := p.Key
		if optional, ok := strings.CutPrefix(p.Value, "["); ok {
			word += "[=" + optional
		} else if p.Value != "" {
			word += "=" + p.Value
		}
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(word), roff(p.Help))
		if len(p.Aliases) > 0 {
			fmt.Fprintf(&b, ".br\nAlso %s.\n", roff(strings.Join(p.Aliases, ", ")))
		}
	}
	b.WriteString(".SH SEE ALSO\n.BR iscsiroot-build (1),\n.BR iscsiroot-explain (1)\n")
	return b.String()
}

// roffText sets text: paragraphs are filled, indented lines stay as they are.
func roffText(text string) string {
	var b strings.Builder
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		for line := range strings.Lines(strings.TrimRight(paragraph, "\n") + "\n") {
			if strings.HasPrefix(line, "  ") {
				b.WriteString(".nf\n" + roff(line) + ".fi\n")
			} else {
				b.WriteString(roff(line))
			}
		}
	}
	return b.String()
}

// roff protects text from being taken for requests and escapes.
func roff(text string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
