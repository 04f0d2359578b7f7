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

// faultRig is a machine under write load whose root is on a target behind a proxy.
type faultRig struct {
	*rig
	m      *lab.Machine
	target *targets.Tgtd // at port 3261
	chap   targets.CHAP  // of root's target; the zero CHAP: none
	first  *faultproxy.Proxy
	marks  int
}

// portal is a portal at the host's first address.
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
	f.renew()
	f.makeDisk(images.Filesystem{Type: "ext4", MiB: mib, Tree: root("faults alone")})
	f.startTarget(chap.Secret)
	f.first = f.proxyToRoot("10.77.0.1:3260")
	return f
}

// startTarget starts root's target with a CHAP secret.
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

// stopTarget kills root's target.
func (f *faultRig) stopTarget() {
	f.t.Helper()
	if err := f.target.Stop(); err != nil {
		f.t.Fatal(err)
	}
}

// proxyToRoot starts a proxy in front of root's target.
func (f *faultRig) proxyToRoot(addr string) *faultproxy.Proxy {
	f.t.Helper()
	p := f.proxy(addr, portal(3261))
	p.Follow()
	return p
}

// waitLost waits until the agent reports the loss of the connection.
func (f *faultRig) waitLost(cause string) {
	f.t.Helper()
	f.expect(f.m, "connection lost: "+cause)
}

func (f *faultRig) waitRecovered() {
	f.t.Helper()
	f.expect(f.m, "logged in again after")
	f.waitWritten()
}

// waitWritten waits until the guest has written files that it began after the call.
func (f *faultRig) waitWritten() {
	f.t.Helper()
	f.run("mark")
	f.expect(f.m, " files", " files")
}

// run types a command at the guest, and waits until it is done.
func (f *faultRig) run(line string) {
	f.t.Helper()
	f.marks++
	mark := fmt.Sprintf("%d;", f.marks) // the kernel may write before the line's end
	if line != "mark" {
		f.typeLine(line)
	}
	f.typeLine("mark " + mark)
	f.expect(f.m, "guest: mark "+mark)
}

func (f *faultRig) typeLine(line string) {
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

// sleep waits for d, or until the test's deadline.
func (f *faultRig) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-f.ctx.Done():
	}
}

// waitAgent waits until the agent's status file has root's session and the agent has settled. Both
// come soon after the hand-over; the agent detects a fault before that by polling, not by an event
// of the kernel.
func (f *faultRig) waitAgent() {
	f.t.Helper()
	texts := []string{"guest: status: session 1 target " + targetName + " state up owner iscsiroot outages 0", "guest: agent @iscsiroot-agent: Rss"}
	for _, text := range texts {
		for !strings.Contains(f.m.Output(), text) {
			if f.ctx.Err() != nil {
				f.t.Fatalf("the console does not show %q", text)
			}
			f.sleep(500 * time.Millisecond)
			f.run("agent")
		}
	}
}

// waitFault waits until one more fault than before has been injected.
func (f *faultRig) waitFault(before int) {
	f.t.Helper()
	for deadline := time.Now().Add(textDeadline); f.first.Triggered() == before; f.sleep(10 * time.Millisecond) {
		if f.ctx.Err() != nil || time.Now().After(deadline) {
			f.t.Fatalf("fault %d was not injected: %v", before+1, f.first.Logins())
		}
	}
}

// endGuest ends the guest's load and waits until the guest has ended the agent.
func (f *faultRig) endGuest() {
	f.t.Helper()
	f.typeLine("end")
	f.expect(f.m, "guest: loaded ", "guest: alone: ")
}

// finish ends the guest and checks what it has written.
func (f *faultRig) finish() {
	f.t.Helper()
	f.endGuest()
	if err := f.m.Stop(); err != nil {
		f.t.Fatal(err)
	}
	f.stopTarget()
	f.checkFileSystem()
}

// checkFileSystem checks that no fault has reached the file system.
func (f *faultRig) checkFileSystem() {
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

// startDuplicate starts another initiator of the same name and ISID. It logs in again soon after
// its session is reinstated, as the agent does. stop ends it.
func (f *faultRig) startDuplicate() (stop func()) {
	ctx, cancel := context.WithCancel(f.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = f.runDuplicate(ctx) // tgtd refuses it during the agent's login
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

// runDuplicate logs the other initiator in and waits until its session ends.
func (f *faultRig) runDuplicate(ctx context.Context) error {
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

// emptyDisk is the path of a disk of a few MiB without a root.
func (r *rig) emptyDisk() string {
	r.t.Helper()
	d, err := images.WriteDisk(filepath.Join(r.t.TempDir(), "data.img"), images.Filesystem{Type: "ext2", MiB: 4, Tree: images.Tree{}})
	if err != nil {
		r.t.Fatal(err)
	}
	return d.Path
}
