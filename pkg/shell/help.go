package shell

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/shell/verb"
)

// ownVerbs are the verbs that use the shell itself.
func (s *shell) ownVerbs() []verb.Verb {
	own := []verb.Verb{
		{Name: "help", Args: "[VERB]", Help: "list the commands, or describe one", Group: verb.Boot, Run: s.help},
		{Name: "exit", Help: "leave the shell: the boot continues", Group: verb.Boot, More: "after a step that failed it ends the boot (rd.emergency=): retry tries again instead. Ctrl-D on an empty line does the same"},
		{Name: "jobs", Help: "list what runs in the background (COMMAND &)", Group: verb.System, Run: s.showJobs},
		{Name: "fg", Args: "[%N]", Help: "wait for a job; Ctrl-C ends it", Group: verb.System, Run: s.fg},
		{Name: "wait", Args: "[%N...]", Help: "wait for jobs", Group: verb.System, Run: s.wait},
		{Name: "history", Help: "list the lines that were typed", Group: verb.System, Run: s.showHistory},
		{Name: "echo", Args: "[-n] [WORD...]", Help: "write words", Group: verb.Text},
		{Name: "cd", Args: "[DIR]", Help: "change the working directory", Group: verb.Files},
	}
	for _, v := range s.config.verbs {
		if v.Name == "kill" {
			v.Run = s.kill(v)
			own = append(own, v)
		}
	}
	return own
}

// help lists all verbs by group, or describes some.
func (s *shell) help(_ context.Context, c *verb.Call) error {
	if len(c.Args) == 0 {
		return s.helpAll(c)
	}
	for _, name := range c.Args {
		v, ok := s.verbs[name]
		if !ok {
			return fmt.Errorf("no command %s: help alone lists them", name)
		}
		text := strings.TrimSpace(v.Name+" "+v.Args) + "\n  " + v.Help + "\n"
		for line := range strings.Lines(v.More) {
			text += "  " + strings.TrimRight(line, "\n") + "\n"
		}
		if err := c.Printf("%s", text); err != nil {
			return err
		}
	}
	return nil
}

func (s *shell) helpAll(c *verb.Call) error {
	var out strings.Builder
	for _, group := range verb.Groups() {
		fmt.Fprintf(&out, "%s:\n", group)
		for _, name := range s.names() {
			if v := s.verbs[name]; v.Group == group {
				fmt.Fprintf(&out, "  %-32s %s\n", strings.TrimSpace(v.Name+" "+v.Args), v.Help)
			}
		}
	}
	out.WriteString("This is a POSIX shell: a | b, a > file, for x in ...; do ...; done, $(a), a &. Tab completes, Ctrl-C ends a command.\n")
	return c.Printf("%s", out.String())
}

// names lists the verbs, sorted.
func (s *shell) names() []string {
	var out []string
	for name := range s.verbs {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (s *shell) showHistory(_ context.Context, c *verb.Call) error {
	for i, line := range s.past.lines {
		if err := c.Printf("%4d  %s\n", i+1, line); err != nil {
			return err
		}
	}
	return nil
}
