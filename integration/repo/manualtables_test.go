package repo_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/integration/failures"
	"github.com/iscsiroot/iscsiroot/pkg/boot"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/shell"
	"github.com/iscsiroot/iscsiroot/pkg/shell/verb"
)

// parameterMaker makes definitions of parameters, by their first names.
func parameterMaker(rows []bootspec.Parameter) maker {
	m := maker{}
	made := map[string]string{}
	for _, p := range rows {
		word := p.Key
		if optional, ok := strings.CutPrefix(p.Value, "["); ok {
			word += "[=" + optional
		} else if p.Value != "" {
			word += "=" + p.Value
		}
		text := "`" + word + "`\n: " + p.Help + "."
		if len(p.Aliases) > 0 {
			text += " Also: `" + strings.Join(p.Aliases, "`, `") + "`."
		}
		m.keys = append(m.keys, p.Key)
		made[p.Key] = text + "\n\n"
	}
	m.row = func(key string) string { return made[key] }
	return m
}

// failureMaker makes definitions of failures, by the names of the cases.
func failureMaker(cases []failures.Case) maker {
	m := maker{}
	made := map[string]string{}
	for _, c := range cases {
		text := "`" + c.Screen + "`\n: "
		if c.Hint != "" {
			text += c.Hint + ". "
		}
		if c.Retried {
			text += "It is tried again."
		} else {
			text += "The boot ends."
		}
		m.keys = append(m.keys, c.Name)
		made[c.Name] = strings.ReplaceAll(text, "?. ", "? ") + "\n\n"
	}
	m.row = func(key string) string { return made[key] }
	return m
}

// stepMaker makes a list of the steps of the boot.
func stepMaker(machine *boot.Machine) maker {
	var names []string
	for _, s := range machine.Steps() {
		names = append(names, s.Name)
	}
	text := "The steps, in their order, as far as they do not run in parallel: " + strings.Join(names, ", ") + ".\n\n"
	return maker{keys: []string{""}, words: true, row: func(string) string { return text }}
}

// verbMaker makes definitions of the shell's commands, by their groups.
func verbMaker(help map[string]string) maker {
	m := maker{words: true, row: func(key string) string { return help[key] }}
	for _, g := range verb.Groups() {
		m.keys = append(m.keys, string(g))
	}
	return m
}

// shellHelp runs help in the shell of a real init, and returns definitions of them by their groups.
func shellHelp(t *testing.T) map[string]string {
	t.Helper()
	init := filepath.Join(t.TempDir(), "init")
	goBuild(t.Context(), t, init, "./cmd/init")
	ask := func(line string) string {
		cmd := exec.CommandContext(t.Context(), init)
		cmd.Args = []string{shell.Name}
		cmd.Stdin = strings.NewReader(line + "\n")
		var stdout bytes.Buffer
		cmd.Stdout = &stdout
		if err := cmd.Run(); err != nil {
			t.Fatalf("shell: %s: %v\n%s", line, err, stdout.String())
		}
		return strings.ReplaceAll(stdout.String(), "iscsiroot> ", "")
	}
	out := map[string]string{}
	group := ""
	for line := range strings.Lines(ask("help")) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutSuffix(line, ":"); ok && !strings.HasPrefix(line, " ") {
			group = name
		} else if f := strings.Fields(line); strings.HasPrefix(line, "  ") {
			out[group] += verbDefinition(ask("help " + f[0]))
		}
	}
	return out
}

// verbDefinition makes a definition of what help says about one command: its form, and lines about
// it.
func verbDefinition(help string) string {
	form, text, _ := strings.Cut(strings.TrimSpace(help), "\n")
	out := ""
	for line := range strings.Lines(text) {
		switch {
		case out == "":
		case strings.ContainsAny(out[len(out)-1:], ",;:."):
			out += "\n  "
		default:
			out += ";\n  "
		}
		out += strings.TrimSpace(line)
	}
	return "`" + form + "`\n: " + out + ".\n\n"
}
