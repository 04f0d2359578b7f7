package integration

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// faultsDeadline is for all faults of one machine.
const faultsDeadline = 16 * time.Minute

// faultRig is a machine whose root is written to all the time, on a target behind a proxy.
type faultRig struct {
	*rig
	m      *lab.Machine
	target *targets.Tgtd // at port 3261
	chap   targets.CHAP  // root's target's; the zero CHAP: none
	first  *faultproxy.Proxy
	marks  int
}

// portal is one of the host's ports.
func portal(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("10.77.0.1"), port)
}

func newFaultRig(t *testing.T, mib int) *faultRig {
	t.Helper()
	return newFaultRigWith(t, mib, oneWay)
}

func newFaultRigWith(t *testing.T, mib int, chap targets.CHAP) *faultRig {
	t.Helper()
	f := &faultRig{rig: newRig(t), chap: chap}
	ctx, cancel := context.WithTimeout(t.Context(), faultsDeadline)
	t.Cleanup(cancel)
	f.ctx = ctx
	f.makeDisk(images.Filesystem{Type: "ext4", MiB: mib, Tree: root("faults alone")})
	f.startTarget(chap.Secret)
	f.first = f.follow("10.77.0.1:3260")
	return f
}

// startTarget starts root's target with a secret.
func (f *faultRig) startTarget(secret string) {
	f.t.Helper()
	f.target = f.tgtdWith(targets.Config{
		Name: targetName, Portal: portal(3261), LUNs: map[int]string{1: f.disk.Path}, CHAP: targets.CHAP{User: f.chap.User, Secret: secret},
	})
}

func (f *faultRig) tgtdWith(c targets.Config) *targets.Tgtd {
	f.t.Helper()
	target, err := targets.StartTgtd(f.ctx, f.ns, c)
	if err != nil {
		f.t.Fatal(err)
	}
	return target
}

// stopTarget kills it.
func (f *faultRig) stopTarget() {
	f.t.Helper()
	if err := f.target.Stop(); err != nil {
		f.t.Fatal(err)
	}
}

// follow starts a proxy in front of root's target.
func (f *faultRig) follow(addr string) *faultproxy.Proxy {
	f.t.Helper()
	p := f.proxy(addr, portal(3261))
	p.Follow()
	return p
}

// lost waits until the agent has noticed, recovered until it is over and something was written since.
func (f *faultRig) lost(cause string) {
	f.t.Helper()
	f.expect(f.m, "connection lost: "+cause)
}

func (f *faultRig) recovered() {
	f.t.Helper()
	f.expect(f.m, "logged in again after")
	f.writes()
}

// writes waits until something was written that began after now.
func (f *faultRig) writes() {
	f.t.Helper()
	f.do("mark")
	f.expect(f.m, " files", " files")
}

// do types a line at the guest, and waits until it was done.
func (f *faultRig) do(line string) {
	f.t.Helper()
	f.marks++
	mark := fmt.Sprintf("%d;", f.marks) // the kernel may write before the line's end
	if line != "mark" {
		f.typed(line)
	}
	f.typed("mark " + mark)
	f.expect(f.m, "guest: mark "+mark)
}

func (f *faultRig) typed(line string) {
	f.t.Helper()
	if err := f.m.Send(line + "\n"); err != nil {
		f.t.Fatal(err)
	}
}

// link plugs or pulls the cable.
func (f *faultRig) link(up bool) {
	f.t.Helper()
	if err := f.m.SetLink(f.ctx, 0, up); err != nil {
		f.t.Fatal(err)
	}
}

// sleep lets a fault last.
func (f *faultRig) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-f.ctx.Done():
	}
}

// watched waits until the agent has written down that it looks after root's session, and is where it stays: both come soon
// after the boot went on, and what happens meanwhile it finds, but not by the kernel's word.
func (f *faultRig) watched() {
	f.t.Helper()
	texts := []string{"guest: status: session 1 target " + targetName + " state up owner iscsiroot outages 0", "guest: agent @iscsiroot-agent: Rss"}
	for _, text := range texts {
		for !strings.Contains(f.m.Output(), text) {
			if f.ctx.Err() != nil {
				f.t.Fatalf("the console does not show %q", text)
			}
			f.sleep(500 * time.Millisecond)
			f.do("agent")
		}
	}
}

// struck waits until one more fault than before has come to pass.
func (f *faultRig) struck(before int) {
	f.t.Helper()
	for deadline := time.Now().Add(textDeadline); f.first.Struck() == before; f.sleep(10 * time.Millisecond) {
		if f.ctx.Err() != nil || time.Now().After(deadline) {
			f.t.Fatalf("fault %d did not come to pass: %v", before+1, f.first.Logins())
		}
	}
}

// end lets the guest finish its files and waits until it is without the agent.
func (f *faultRig) end() {
	f.t.Helper()
	f.typed("end")
	f.expect(f.m, "guest: loaded ", "guest: alone: ")
}

// finish lets the guest end, and looks at what it has written.
func (f *faultRig) finish() {
	f.t.Helper()
	f.end()
	if err := f.m.Stop(); err != nil {
		f.t.Fatal(err)
	}
	f.stopTarget()
	f.whole()
}

// whole checks that no fault has reached the file system.
func (f *faultRig) whole() {
	f.t.Helper()
	for _, bad := range []string{"I/O error, dev sda", "EXT4-fs error", "EXT4-fs warning", "Buffer I/O error on dev sda", "guest: pressure: error", "blocked for more than"} {
		if strings.Contains(f.m.Output(), bad) {
			f.t.Errorf("the console shows %q", bad)
		}
	}
	if err := f.disk.Check(2); err != nil {
		f.t.Error(err)
	}
	checkSums(f.rig, -1)
}

// startTwin starts another machine of the same name and ISID. It logs in again soon after it was thrown out, as ours does. stop
// ends it.
func (f *faultRig) startTwin() (stop func()) {
	ctx, cancel := context.WithCancel(f.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = f.twinLives(ctx) // tgtd refuses it while ours is logging in
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// twinLives is one session of it, from the login to its end.
func (f *faultRig) twinLives(ctx context.Context) error {
	conn, err := f.dial(ctx, "10.77.0.1:3261")
	if err != nil {
		return err
	}
	defer conn.Close()
	cfg := iscsi.LoginConfig{
		InitiatorName: initiator, TargetName: targetName, ISID: [6]byte{0, 2, 0x3d, 0, 0, 1}, CmdSN: 1,
		SecurityStage: true, Offer: iscsi.DefaultOffer(),
	}
	if f.chap.User != "" {
		cfg.CHAP = credentials(f.chap, iscsi.MD5)
	}
	pipe := iscsi.NewTCPPipe(conn)
	if _, err = iscsi.Login(ctx, pipe, cfg); err != nil {
		return err
	}
	for err == nil {
		_, err = pipe.Receive(ctx)
	}
	return err
}

// emptyDisk is a disk of a few MiB.
func (r *rig) emptyDisk() string {
	r.t.Helper()
	d, err := images.WriteDisk(filepath.Join(r.t.TempDir(), "data.img"), images.Filesystem{Type: "ext2", MiB: 4, Tree: images.Tree{}})
	if err != nil {
		r.t.Fatal(err)
	}
	return d.Path
}
