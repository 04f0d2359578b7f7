package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/shell/verb"
)

// Exit statuses, as shells have them.
const (
	statusUsage    interp.ExitStatus = 2
	statusNoRun    interp.ExitStatus = 126
	statusNotFound interp.ExitStatus = 127
	statusPipe     interp.ExitStatus = 128 + 13 // SIGPIPE
)

// ownPrefix marks the name of a verb for which the interpreter has a builtin, which it would run
// instead.
const ownPrefix = "iscsiroot:"

// preferVerbs makes kill, jobs and other verbs take precedence over the interpreter's builtins.
func (s *shell) preferVerbs(_ context.Context, args []string) ([]string, error) {
	if v := s.verbs[args[0]]; v.Run != nil && interp.IsBuiltin(args[0]) {
		return append([]string{ownPrefix + args[0]}, args[1:]...), nil
	}
	return args, nil
}

// exec runs a verb or a program of the image.
func (s *shell) exec(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	v, ok := s.verbs[strings.TrimPrefix(args[0], ownPrefix)]
	if !ok || v.Run == nil {
		return s.program(ctx, hc, args)
	}
	in := hc.Stdin
	if f, ok := in.(*os.File); ok && f != nil {
		defer cancelable(ctx, f)()
	} else {
		in = strings.NewReader("")
	}
	call := &verb.Call{Name: v.Name, Args: args[1:], Dir: hc.Dir, In: in, Out: &contextWriter{ctx, hc.Stdout}, Err: hc.Stderr}
	if hc.Stdout == s.out && s.terminal.is {
		call.Terminal = s.terminal
	}
	err := runVerb(ctx, v, call)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, verb.ErrLeave) {
		return hc.Builtin(ctx, []string{"exit", "0"})
	}
	return status(hc.Stderr, v.Name, err)
}

// runVerb turns a panic of a verb into its error, so that the shell goes on.
func runVerb(ctx context.Context, v verb.Verb, c *verb.Call) error {
	err := contain.Call("", func() error { return v.Run(ctx, c) })
	var p *contain.PanicError
	if errors.As(err, &p) {
		return fmt.Errorf("%w\n%s", err, p.Stack)
	}
	return err
}

// status prints an error and returns its exit status.
func status(out io.Writer, name string, err error) error {
	var quiet *verb.StatusError
	var usage *verb.UsageError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &quiet):
		return interp.ExitStatus(quiet.Status)
	case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return statusPipe
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(out, "%s: %v: try help %s\n", name, err, name)
		return statusUsage
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		_, _ = fmt.Fprintf(out, "%s: %s\n", name, line)
	}
	return interp.ExitStatus(1)
}

// killAfter is how long a program has to end after Ctrl-C.
const killAfter = 2 * time.Second

// program runs a program of the image. In the foreground it is in the shell's process group, to
// which the terminal sends Ctrl-C; a job has its own group.
func (s *shell) program(ctx context.Context, hc interp.HandlerContext, args []string) error {
	path, err := interp.LookPathDir(hc.Dir, hc.Env, args[0])
	if err != nil {
		return notFound(hc, args[0], err)
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Args, cmd.Env, cmd.Dir = args, environ(hc.Env), hc.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = hc.Stdin, hc.Stdout, hc.Stderr
	if hc.Stdin == io.Reader(s.in) && s.terminal.is {
		cmd.Stdin = os.Stdin // s.in does not block, which programs do not expect
	}
	job := ctx.Value(jobKey{}) != nil
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: job}
	cmd.WaitDelay = killAfter
	cmd.Cancel = func() error {
		if job {
			return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		}
		return cmd.Process.Signal(os.Interrupt)
	}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.As(err, &exit):
		_, _ = fmt.Fprintf(hc.Stderr, "%v\n", err)
		return statusNoRun
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return interp.ExitStatus(128 + ws.Signal())
	}
	return interp.ExitStatus(exit.ExitCode())
}

// notFound prints why there is no program of a name, or why its file cannot be run, and returns the
// exit status.
func notFound(hc interp.HandlerContext, name string, err error) error {
	if !strings.Contains(name, "/") {
		_, _ = fmt.Fprintf(hc.Stderr, "%s: no such command: try help\n", name)
		return statusNotFound
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(hc.Dir, path)
	}
	status := statusNoRun
	if _, serr := os.Stat(path); serr != nil {
		err, status = serr, statusNotFound
	}
	var perr *fs.PathError
	if errors.As(err, &perr) {
		err = perr.Err
	}
	_, _ = fmt.Fprintf(hc.Stderr, "%s: %v\n", name, err)
	return status
}

// environ returns the environment of a program.
func environ(env expand.Environ) []string {
	var out []string
	for name, v := range env.Each {
		if v.Exported && v.Kind == expand.String {
			out = append(out, name+"="+v.String())
		}
	}
	return out
}

// contextWriter fails when its context has ended, which ends a verb with much output.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (w *contextWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}
