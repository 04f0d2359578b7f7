package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/shell"
	"github.com/iscsiroot/iscsiroot/pkg/shell/control"
)

// openBreak opens the shell at a break point, or because somebody pressed Enter
// while a step keeps failing, and returns how to go on.
func (m *Machine) openBreak(step string) sequence.Resume {
	greeting := "break before step " + step
	if step == "" {
		troubled := m.progress.Troubled()
		if len(troubled) == 0 {
			m.stopOffer()
			return sequence.Resume{} // it has healed meanwhile
		}
		step = troubled[0]
		greeting = fmt.Sprintf("step %s is being retried: %v", step, m.progress.Failure(step))
	}
	m.Log.Infof("%s: exit continues", greeting)
	resume, _ := m.openShell(greeting+"\n"+advice(step)+"help lists the commands; exit continues the boot\n", step)
	m.Log.Infof("continuing with step %s", step)
	return resume
}

// openFailure opens the shell for a failure; ok tells that the boot is to go on
// after all.
func (m *Machine) openFailure(f *sequence.Failure) (resume sequence.Resume, ok bool) {
	from := m.Plan.Policy.Shell.From
	m.Log.Errorf("opening a shell (%s): retry tries again, exit gives up", from)
	text := f.Error() + "\n"
	if f.Hint != "" {
		text += "hint: " + f.Hint + "\n"
	}
	return m.openShell(text+advice(f.Step)+"help lists the commands; retry tries again, exit gives up\n", f.Step)
}

// openShell runs the shell and waits for its end, however it comes: a shell
// that is killed or crashes is a shell that was left. asked tells that the
// shell asked for more than to go on.
func (m *Machine) openShell(greeting, step string) (resume sequence.Resume, asked bool) {
	m.stopOffer()
	tty, err := m.chooseConsole()
	if err != nil {
		m.Log.Errorf("shell: %v: there is no console to open it on", err)
		return sequence.Resume{}, false
	}
	defer func() { _ = tty.Close() }()
	ours, theirs, err := control.Pair()
	if err != nil {
		m.Log.Errorf("shell: %v", err)
		return sequence.Resume{}, false
	}
	defer func() { _ = ours.Close() }()
	c := m.newConversation(greeting, step)
	_, status, err := m.reaper.start(func() (int, error) { return forkShell(m.Plan.Policy.Shell.V, tty, theirs) })
	_ = theirs.Close()
	if err != nil {
		m.Log.Errorf("shell: %v", err)
		return sequence.Resume{}, false
	}
	served := make(chan struct{})
	contain.Go("answers to the shell", func() {
		defer close(served)
		control.Serve(ours, c.answer)
	}, func(err error) { m.Log.Errorf("shell: %v", err) })
	if s := <-status; s.Signaled() {
		m.Log.Warnf("the shell was killed by signal %d", int(s.Signal()))
	}
	_ = ours.SetDeadline(past)
	<-served
	m.typed = c.typed
	return c.resume, c.asked
}

// forkShell starts our own file as the shell. path is the shell of the image
// that it is to become; empty: it stays itself.
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

// chooseConsole returns the terminal for the shell: the only console, or the
// first on which somebody presses Enter.
func (m *Machine) chooseConsole() (*os.File, error) {
	all := openConsoles(activeConsoles)
	if len(all) == 0 {
		return openTTY("/dev/console")
	}
	defer func() {
		for _, f := range all {
			_ = f.Close()
		}
	}()
	chosen := all[0]
	if len(all) > 1 {
		for _, f := range all {
			_, _ = fmt.Fprintf(f, "\r\niscsiroot: press Enter here for the shell\r\n")
		}
		var err error
		if chosen, err = firstEnter(context.Background(), all); err != nil {
			return nil, err
		}
	}
	return openTTY(chosen.Name())
}

// activeConsoles names the terminals that console= names and that there are.
const activeConsoles = "/sys/class/tty/console/active"

// openConsoles opens them, for reads that can be given up. /dev/console itself
// cannot become a controlling terminal.
func openConsoles(list string) []*os.File {
	b, err := os.ReadFile(list)
	if err != nil {
		return nil
	}
	var out []*os.File
	for _, name := range strings.Fields(string(b)) {
		path := "/dev/" + name
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		out = append(out, os.NewFile(uintptr(fd), path))
	}
	return out
}

func openTTY(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// errNobody says that every console has hung up.
var errNobody = errors.New("no console answers")

// firstEnter waits for a line on any of the terminals and returns the one that
// it came from.
func firstEnter(ctx context.Context, terminals []*os.File) (*os.File, error) {
	answers := make(chan int, len(terminals))
	for i, f := range terminals {
		contain.Go("wait for Enter", func() {
			if n, err := f.Read(make([]byte, 256)); n <= 0 || err != nil {
				i = -1
			}
			answers <- i
		}, func(error) { answers <- -1 })
	}
	stop := func() {
		for _, f := range terminals {
			_ = f.SetReadDeadline(past)
		}
	}
	defer context.AfterFunc(ctx, contain.Func("end of the wait for Enter", stop, nil))()
	first := -1
	for range terminals { // all must have let go of their terminal
		if i := <-answers; i >= 0 && first < 0 {
			first = i
			stop()
		}
	}
	if first < 0 {
		return nil, errors.Join(errNobody, ctx.Err())
	}
	return terminals[first], nil
}
