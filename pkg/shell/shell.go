package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/shell/verb"
)

// config is the configuration of a shell.
type config struct {
	in       *os.File
	out      io.Writer
	terminal *terminal
	verbs    []verb.Verb
	history  []string          // lines of earlier shells
	remember func(line string) // is called for each line that is typed
}

// shell is the running shell.
type shell struct {
	config
	past   *history
	lines  func(prompt string) (string, error)
	verbs  map[string]verb.Verb
	runner *interp.Runner
	jobs   jobs

	mu     sync.Mutex         // guards cancel
	cancel context.CancelFunc // of the command in the foreground
}

func newShell(c config) (*shell, error) {
	s := &shell{config: c, verbs: map[string]verb.Verb{}}
	for _, v := range append(slices.Clip(c.verbs), s.ownVerbs()...) {
		s.verbs[v.Name] = v
	}
	s.past = &history{lines: c.history, added: c.remember}
	s.lines = func(string) (string, error) { return readPlain(c.terminal.plain) }
	if c.terminal.is {
		s.lines = newEditor(c.terminal, c.out, s.past, s.complete).readLine
	}
	var err error
	s.runner, err = interp.New(
		interp.Interactive(true),
		interp.StdIO(c.in, c.out, c.out),
		interp.CallHandler(s.preferVerbs),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return s.exec }),
	)
	return s, err
}

// readPlain reads a line without editing.
func readPlain(r io.Reader) (string, error) {
	line, err := r.(interface{ ReadString(byte) (string, error) }).ReadString('\n')
	if line != "" {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}

// loop reads and runs lines until exit or the end of input. It returns the exit status.
func (s *shell) loop() int {
	s.catchSignals()
	text := "" // of a command with several lines
	for {
		s.reportJobs()
		prompt := s.prompt()
		if text != "" {
			prompt = promptMore
		}
		line, err := s.lines(prompt)
		switch {
		case errors.Is(err, errInterrupted):
			text = ""
			continue
		case err != nil:
			if _, err := parse(text); err != nil {
				s.printErr("%v", err)
			}
			s.jobs.end()
			return 0
		}
		text += line + "\n"
		stmts, err := parse(text)
		if syntax.IsIncomplete(err) {
			continue
		}
		if err != nil {
			s.printErr("%v", err)
		}
		if s.run(text, stmts) {
			s.jobs.end()
			return 0
		}
		text = ""
	}
}

// prompt returns the prompt, with the working directory unless that is /.
func (s *shell) prompt() string {
	if dir := s.runner.Dir; dir != "" && dir != "/" {
		return "iscsiroot " + dir + "> "
	}
	return "iscsiroot> "
}

func parse(text string) ([]*syntax.Stmt, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil, err
	}
	return file.Stmts, nil
}

// run runs statements and reports whether the shell is to end.
func (s *shell) run(text string, stmts []*syntax.Stmt) (exit bool) {
	for _, stmt := range stmts {
		if stmt.Background {
			s.startJob(text, stmt)
			continue
		}
		if interrupted := s.foreground(stmt); interrupted {
			return false
		}
		if s.runner.Exited() {
			return true
		}
	}
	return false
}

// foreground runs a statement until it is done, or Ctrl-C.
func (s *shell) foreground(stmt *syntax.Stmt) (interrupted bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.setCancel(cancel)
	defer s.setCancel(nil)
	err := s.runner.Run(ctx, stmt)
	_ = s.in.SetReadDeadline(time.Time{}) // the interpreter's own read may have been cancelled
	var status interp.ExitStatus
	if ctx.Err() != nil {
		_, _ = io.WriteString(s.out, "\n")
		return true
	}
	if err != nil && !s.runner.Exited() && !errors.As(err, &status) {
		s.printErr("%v", err)
	}
	return false
}

func (s *shell) setCancel(f context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = f
}

// interrupt ends the command in the foreground.
func (s *shell) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
}

// catchSignals makes Ctrl-C end the command and not the shell. Ctrl-\ and Ctrl-Z are caught as
// well, not ignored: programs would inherit that. As a child of PID 1 that leads a session the
// shell and what it runs are an orphaned process group, which the kernel does not stop
// (POSIX.1-2017 11.1.4); started otherwise, what Ctrl-Z stops is continued immediately.
func (s *shell) catchSignals() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTSTP)
	contain.Go("the shell's signals", func() {
		for sig := range signals {
			s.caught(sig)
		}
	}, func(err error) { s.printErr("%v: Ctrl-C no longer ends commands", err) })
}

// caught handles a signal.
func (s *shell) caught(sig os.Signal) {
	switch sig {
	case syscall.SIGINT:
		s.interrupt()
	case syscall.SIGTSTP:
		_ = syscall.Kill(0, syscall.SIGCONT) // a process that did stop goes on
	}
}

func (s *shell) printErr(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "iscsiroot: "+format+"\n", args...)
}
