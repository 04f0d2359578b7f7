package targets

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

// Tgtd is a running tgtd of the Linux SCSI target framework.
type Tgtd struct {
	config  Config
	process *lab.Process
	ns      *lab.Namespace
	root    string
	socket  string
}

// tgtdTarget is the number of the only target in each daemon.
const tgtdTarget = 1

// StartTgtd starts a tgtd of its own for the target and returns when its portals accept
// connections. Further settings are made with [Tgtd.Admin]. LUN 0 is a controller; each disk has
// the serial number and identifier of its LUN and port, so that two daemons do not show the same
// disk.
func StartTgtd(ctx context.Context, ns *lab.Namespace, c Config) (*Tgtd, error) {
	t, err := startTgtd(ctx, ns, c)
	if err != nil {
		return nil, fmt.Errorf("start tgtd %s: %w", c.Name, err)
	}
	return t, nil
}

func startTgtd(ctx context.Context, ns *lab.Namespace, c Config) (*Tgtd, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Grouped {
		return nil, fmt.Errorf("portal groups: %w", errors.ErrUnsupported)
	}
	if _, ok := c.LUNs[0]; ok {
		return nil, errors.New("LUN 0 is tgtd's controller; disks begin at LUN 1")
	}
	daemon, err := deps.FindUnpacked("tgtd", "tgt", "usr/sbin/tgtd")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(ns.Dir(), "tgtd-")
	if err != nil {
		return nil, err
	}
	t := &Tgtd{config: c, ns: ns, root: filepath.Join(filepath.Dir(daemon), "../.."), socket: filepath.Join(dir, "ipc")}
	if t.process, err = ns.StartLogged(t.command(daemon, "-f", "--iscsi", portalList(c.portals()))); err != nil {
		return nil, err
	}
	if err = ns.WaitAccept(ctx, t.process, c.portals()...); err == nil {
		err = t.configure(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, t.process.Kill())
	}
	return t, nil
}

// command runs a program of the unpacked package with its own libraries and this daemon's control
// socket.
func (t *Tgtd) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	const arch = "x86_64-linux-gnu"
	cmd.Env = append(os.Environ(), "TGT_IPC_SOCKET="+t.socket,
		"LD_LIBRARY_PATH="+filepath.Join(t.root, "usr/lib", arch)+":"+filepath.Join(t.root, "lib", arch))
	return cmd
}

// Admin runs tgtadm with "--lld iscsi" and args against this daemon and returns what it printed.
// The target's number is 1.
func (t *Tgtd) Admin(ctx context.Context, args ...string) (string, error) {
	cmd := t.command(filepath.Join(t.root, "usr/sbin/tgtadm"), append([]string{"--lld", "iscsi"}, args...)...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := t.ns.StartCmd(cmd)
	if err != nil {
		return "", err
	}
	err = p.Wait(ctx)
	if killErr := p.Kill(); err == nil { // after it, nothing writes to out
		err = killErr
	}
	if err != nil { // without its arguments: there may be a secret among them
		return "", fmt.Errorf("tgtadm: %w: %s", err, strings.TrimSpace(out.String()))
	}
	return out.String(), nil
}

// Sessions is how many sessions the target has.
func (t *Tgtd) Sessions(ctx context.Context) (int, error) {
	text, err := t.Admin(ctx, "--op", "show", "--mode", "conn", "--tid", strconv.Itoa(tgtdTarget))
	if err != nil {
		return 0, err
	}
	n := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "Session:") {
			n++
		}
	}
	return n, nil
}

// Name is the target's iSCSI name.
func (t *Tgtd) Name() string { return t.config.Name }

// Addr is the first portal.
func (t *Tgtd) Addr() netip.AddrPort { return t.config.Portal }

// Log is what the daemon has printed so far.
func (t *Tgtd) Log() string { return t.process.Log() }

// Stop kills the daemon, which ignores SIGTERM while sessions last.
func (t *Tgtd) Stop() error {
	if err := t.process.Kill(); err != nil {
		return fmt.Errorf("stop tgtd %s: %w", t.config.Name, err)
	}
	return nil
}
