package shell

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/iscsiroot/iscsiroot/pkg/shell/control"
	"github.com/iscsiroot/iscsiroot/pkg/shell/verb"
)

// Name is argv[0] of the shell: cmd/init runs Main for it.
const Name = "iscsiroot-shell"

// Main is the shell as a program, on the standard files. args are those after argv[0]: none, or the
// path of a shell in the image that is executed once the password is right. more makes the verbs
// that send requests to PID 1; they take precedence over those of package verb. It returns the exit
// status.
func Main(args []string, more func(*control.Client) []verb.Verb) int {
	client := control.NewClient(control.FD)
	t := newTerminal(os.Stdin)
	greeting, err := unlock(client, t, os.Stdout)
	if err != nil {
		_, _ = fmt.Fprintf(os.Stdout, "iscsiroot: shell: %v\n", err)
		return 1
	}
	_, _ = io.WriteString(os.Stdout, greeting)
	if len(args) > 0 {
		// This executes that program, and the socket is closed by that.
		err := syscall.Exec(args[0], []string{filepath.Base(args[0])}, os.Environ())
		_, _ = fmt.Fprintf(os.Stdout, "iscsiroot: shell %s: %v: using the built-in one\n", args[0], err)
	}
	s, err := newShell(config{
		in: t.file, out: os.Stdout, terminal: t,
		verbs:   append(verb.All(), more(client)...),
		history: earlierLines(client), remember: func(line string) { _, _ = client.Ask(control.Remember, control.Typed{}.Add(line)[0]) },
	})
	if err != nil {
		_, _ = fmt.Fprintf(os.Stdout, "iscsiroot: shell: %v\n", err)
		return 1
	}
	return s.loop()
}

// unlock asks for the password if there is one and returns the greeting.
func unlock(client *control.Client, t *terminal, out io.Writer) (string, error) {
	if client == nil {
		return "", nil // not started by PID 1: no password is needed
	}
	answer, err := client.Ask(control.Hello)
	for err == nil && answer.Kind == control.Locked {
		_, _ = io.WriteString(out, answer.Text)
		var word string
		if word, err = t.password("password: ", out); err == nil {
			answer, err = client.Ask(control.Password, word)
		}
	}
	if err == nil && answer.Kind != control.OK {
		err = fmt.Errorf("%s", strings.TrimSpace(answer.Text))
	}
	return answer.Text, err
}

// earlierLines returns the lines of earlier shells of this boot, oldest first.
func earlierLines(client *control.Client) []string {
	answer, err := client.Ask(control.History)
	if err != nil || answer.Text == "" {
		return nil
	}
	return strings.Split(answer.Text, "\n")
}
