//go:build linux

package trial

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/netboot"
	"github.com/iscsiroot/iscsiroot/pkg/outfile"
)

// bench is what a trial runs on.
type bench struct {
	Config

	ns     *lab.Namespace
	tap    *lab.Tap
	portal netip.AddrPort
	host   netboot.Host
	result *Result
}

// Run boots the machine and returns how far it came, with an *[Error] if that is not far enough.
// What was started has ended when it returns, and ctx ends it early.
func Run(ctx context.Context, c Config) (result Result, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("try %s: %w", c.Host, err)
		}
	}()
	h, err := c.host()
	if err != nil {
		return result, err
	}
	if err := needs(); err != nil {
		return result, err
	}
	var ns *lab.Namespace
	var made sync.Mutex // guards ns
	release, err := outfile.Register(ctx, func() {
		made.Lock()
		defer made.Unlock()
		if ns != nil {
			_ = ns.Close() // the process ends now
		}
	})
	if err != nil {
		return result, err
	}
	defer release()
	made.Lock()
	ns, err = lab.NewNamespace()
	made.Unlock()
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	b := &bench{Config: c, ns: ns, host: h, result: &result}
	return result, b.run(ctx)
}

// needs checks the prerequisites of the host.
func needs() error {
	if os.Geteuid() != 0 {
		return errors.New("a network namespace needs root privileges: run this as root")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return fmt.Errorf("%w: install QEMU (Debian's package is qemu-system-x86)", err)
	}
	return nil
}

// run sets everything up, the machine last.
func (b *bench) run(ctx context.Context) error {
	tree, err := b.writeTree(ctx)
	if err != nil {
		return err
	}
	if err := b.network(); err != nil {
		return err
	}
	if err := b.serve(ctx, tree); err != nil {
		return err
	}
	if err := b.target(ctx); err != nil {
		return err
	}
	config, err := b.machine()
	if err != nil {
		return err
	}
	m, err := b.ns.StartMachine(ctx, config)
	if err != nil {
		return err
	}
	err = b.watch(ctx, m)
	b.result.Steps = steps(m.Output())
	if b.Write {
		err = errors.Join(err, powerOff(ctx, m))
	}
	b.result.Console = m.Output()
	return errors.Join(err, m.Stop())
}

// patience is the time-out for a power-off by the power button.
const patience = time.Minute

// powerOff shuts down a machine whose disk is to be kept, if it can.
func powerOff(ctx context.Context, m *lab.Machine) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-m.Done():
		return nil
	default:
	}
	if err := m.PressPower(ctx); err != nil {
		return err
	}
	if _, err := m.Wait(ctx); err != nil {
		return fmt.Errorf("it did not switch itself off in %v, so its disk may need a check", patience)
	}
	return nil
}
