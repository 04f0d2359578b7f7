package debug

import (
	"os"
	"syscall"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/shell"
	"github.com/iscsiroot/iscsiroot/pkg/shell/control"
)

// open runs the shell and waits for its end: a shell that is killed or crashes counts as one that
// exits. acted: a request such as retry ended the shell.
func (s *Shell) open(greeting, step string) (resume sequence.Resume, acted bool) {
	s.stopOffer()
	tty, err := chooseConsole(activeConsoles)
	if err != nil {
		s.m.Log.Errorf("shell: %v: there is no console to open it on", err)
		return sequence.Resume{}, false
	}
	defer func() { _ = tty.Close() }()
	own, shells, err := control.Pair()
	if err != nil {
		s.m.Log.Errorf("shell: %v", err)
		return sequence.Resume{}, false
	}
	defer func() { _ = own.Close() }()
	c := s.newConversation(greeting, step)
	_, status, err := s.m.Start(func() (int, error) { return forkShell(s.m.Plan.Policy.Shell.V, tty, shells) })
	_ = shells.Close()
	if err != nil {
		s.m.Log.Errorf("shell: %v", err)
		return sequence.Resume{}, false
	}
	served := make(chan struct{})
	contain.Go("answers to the shell", func() {
		defer close(served)
		control.Serve(own, c.answer)
	}, func(err error) { s.m.Log.Errorf("shell: %v", err) })
	if how := <-status; how.Signaled() {
		s.m.Log.Warnf("the shell was killed by signal %d (%v)", int(how.Signal()), how.Signal())
	}
	_ = own.SetDeadline(past)
	<-served
	s.history = c.history
	return c.resume, c.acted
}

// forkShell starts this program's file as the shell. path is the shell of the image that it then
// executes; empty: the built-in one.
func forkShell(path string, tty, socket *os.File) (int, error) {
	argv := []string{shell.Name}
	if path != "" {
		argv = append(argv, path)
	}
	return syscall.ForkExec("/proc/self/exe", argv, &syscall.ProcAttr{
		Dir:   "/",
		Env:   []string{"TERM=linux", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/"},
		Files: []uintptr{tty.Fd(), tty.Fd(), tty.Fd(), socket.Fd()}, // the last one is control.FD
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: true},
	})
}
