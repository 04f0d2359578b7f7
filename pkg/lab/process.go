package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Process is a child in a Namespace.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error
}

func newProcess(cmd *exec.Cmd) *Process {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go func() { // until the child ends, at the latest by Namespace.Close
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p
}

// Pid is the child's process id. It may be another process's once Done is closed.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended and all its output has been read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the child's end and returns what exec.Cmd.Wait returned, or ctx's error before
// that.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", filepath.Base(p.cmd.Path), ctx.Err())
	}
}

// Kill ends the child with SIGKILL and waits for it. A child that has ended already is no error.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", filepath.Base(p.cmd.Path), err)
	}
	<-p.done
	return nil
}

// Log is what the child has written to its standard error, and to its standard output unless that
// went elsewhere.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return ""
	}
	return string(text)
}
