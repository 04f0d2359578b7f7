package integration

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// faultActions are the faults of the matrix. A black hole is a target that no longer answers on a
// connection that stays open.
var faultActions = []faultproxy.Action{faultproxy.Reset, faultproxy.BlackHole}

// The first connection is reset, or goes silent, after a number of PDUs from the target: in the
// login, while the kernel scans for disks and probes them, while root is searched and mounted.
// Every boot reaches its root, and the kernel has all disks. make soak covers every PDU.
func TestBootFaultMatrix(t *testing.T) {
	t.Parallel()
	numbers := [][]int{{1, 9, 25}, {2, 7, 40}, {3, 15, 60}, {5, 12, 19}}
	for _, a := range faultActions {
		for _, row := range rows(t, len(numbers)) {
			t.Run(fmt.Sprintf("%v/%d", a, row), func(t *testing.T) { newBootFaultRig(t).matrixRow(a, numbers[row]) })
		}
	}
}

// Of two targets each gets a fault in turn. Root is on the second, and the session to the first
// recovers too.
func TestBootFaultsTwoTargets(t *testing.T) {
	r := newBootFaultRig(t)
	other := r.emptyDisk()
	second := r.startTgtd(targets.Config{
		Name: targetName + ".data", Portal: netip.MustParseAddrPort("10.77.0.1:3270"), LUNs: map[int]string{1: other},
	})
	line := machineLine + "iscsi_t=" + second.Name() + " iscsi_a=10.77.0.1:3272 iscsi_t.2=" + targetName + " iscsi_a.2=10.77.0.1:3271 root=/dev/sdb2 "
	for _, tt := range []struct {
		name       string
		data, root []faultproxy.Fault
		shown      string
	}{
		{"root's, reset", nil, []faultproxy.Fault{faultAfter(5, faultproxy.Reset)}, "session 2 to " + targetName + ": logged in again"},
		{"root's, mute", nil, []faultproxy.Fault{faultAfter(15, faultproxy.BlackHole)}, "session 2 to " + targetName + ": logged in again"},
		{"the other, reset", []faultproxy.Fault{faultAfter(5, faultproxy.Reset)}, nil, "session 1 to " + second.Name() + ": logged in again"},
		{"the other, mute", []faultproxy.Fault{faultAfter(10, faultproxy.BlackHole)}, nil, "session 1 to " + second.Name() + ": logged in again"},
	} {
		r.renew()
		data := r.proxy("10.77.0.1:3272", second.Addr(), tt.data...)
		root := r.proxy("10.77.0.1:3271", r.target.Addr(), tt.root...)
		m := r.machine(line)
		r.expect(m, verified)
		r.waitOff(m)
		r.checkShown(m, tt.shown, "guest: disk sda size=10240 ", "guest: disk sdb2 size=")
		if n := data.Triggered() + root.Triggered(); n != 1 {
			t.Errorf("%s: %d faults injected", tt.name, n)
		}
		_ = data.Close()
		_ = root.Close()
	}
	// The second target is absent, and the connection to the first is reset while root is
	// searched.
	r.renew()
	p := r.proxy("10.77.0.1:3271", r.target.Addr(), faultAfter(10, faultproxy.Reset))
	m := r.boot(r.img, "", machineLine+targetLine+proxyPortal+"iscsi_t.2="+targetName+".absent iscsi_a.2=10.77.0.1:3299 root=/dev/sda2 ")
	r.expect(m, "target "+targetName+".absent is not logged in: starting the real system without it", verified)
	r.waitOff(m)
	r.checkShown(m, "session 1 to "+targetName+": logged in again")
	if p.Triggered() != 1 {
		t.Error("no fault was injected at the first of two targets")
	}
}

// The first of two targets is killed while the kernel scans for its disks, and stays down. Root is
// on the second target; neither root nor the real init waits for the first: the session with the
// blocked scan is closed.
func TestBootOtherTargetLost(t *testing.T) {
	r := newBootFaultRig(t)
	second := targets.Config{Name: targetName + ".data", Portal: netip.MustParseAddrPort("10.77.0.1:3270"), LUNs: map[int]string{1: r.emptyDisk()}}
	line := machineLine + "iscsi_t=" + second.Name + " iscsi_a=10.77.0.1:3272 iscsi_t.2=" + targetName + " iscsi_a.2=10.77.0.1:3260 " +
		"root=/dev/disk/by-path/ip-10.77.0.1:3260-iscsi-" + targetName + "-lun-1-part2 "
	for _, n := range []int{4, 13} {
		r.renew()
		data := r.startTgtd(second)
		fault := faultAfter(n, faultproxy.Drop)
		fault.Call = func() {
			if err := data.Stop(); err != nil {
				t.Error(err)
			}
		}
		p := r.proxy("10.77.0.1:3272", data.Addr(), fault)
		m := r.boot(r.img, "", line)
		r.expect(m, "session 1 to "+second.Name+": connection lost", "target "+second.Name+" is not logged in", verified)
		r.waitOff(m)
		r.checkShown(m, "session 1 to "+second.Name+": the connection was lost during a scan: closing the session")
		if p.Triggered() != 1 {
			t.Errorf("after %d PDUs: %d faults injected", n, p.Triggered())
		}
		_ = p.Close()
	}
}

// The target's process is killed at six moments of the boot and started again three seconds later.
func TestBootTargetRestartMatrix(t *testing.T) {
	t.Parallel()
	numbers := [][]int{{1, 8}, {3, 50}, {5, 18}}
	for _, row := range rows(t, len(numbers)) {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			r := newBootFaultRig(t)
			for _, n := range numbers[row] {
				var restarted sync.WaitGroup
				fault := faultAfter(n, faultproxy.Drop)
				fault.Call = func() { restarted.Go(r.restartTarget) }
				m := r.bootWithFaults(fmt.Sprintf("killed after %d PDUs", n), "", fault)
				restarted.Wait()
				r.sameDisks(fmt.Sprintf("killed after %d PDUs", n), m)
			}
		})
	}
}

// restartTarget kills root's target and starts it again three seconds later.
func (r *bootFaultRig) restartTarget() {
	if err := r.target.Stop(); err != nil {
		r.t.Error(err)
	}
	select {
	case <-time.After(3 * time.Second):
	case <-r.ctx.Done():
	}
	c := targets.Config{Name: targetName, Portal: r.target.Addr(), LUNs: map[int]string{1: r.disk.Path}}
	target, err := targets.StartTgtd(r.ctx, r.ns, c)
	if err != nil {
		r.t.Error(err)
		return
	}
	r.target = target
}

// The target restarts while the shell is open at a break: the session recovers without a command of
// the user, and the login can still be retried.
func TestBreakWhileTargetRestarts(t *testing.T) {
	r := newBootFaultRig(t)
	m := r.boot(r.img, "", machineLine+targetLine+"iscsi_a=10.77.0.1 rd.break=root")
	r.expect(m, "break before step root", prompt)
	r.restartTarget()
	r.expect(m, "session 1 to "+targetName+": connection lost: ", "session 1 to "+targetName+": logged in again after")
	r.send(m, "retry login\n", "login to "+targetName, "break before step root", prompt)
	r.send(m, "exit\n", verified)
	r.waitOff(m)
	r.sameDisks("the target restarts at a break", m)
}

// A target that answers logins and pings late is usable: each time-out makes the next one longer.
// rootdelay= leaves time for pings.
func TestBootBusyTarget(t *testing.T) {
	bootBusy(t, 6*time.Second)
}

func bootBusy(t *testing.T, late time.Duration) {
	r := newBootFaultRig(t)
	p := r.proxy("10.77.0.1:3271", r.target.Addr())
	p.Lag(late)
	m := r.boot(r.img, "", machineLine+targetLine+proxyPortal+fmt.Sprintf("rootdelay=%d", 4*int(late.Seconds())))
	r.expect(m, verified)
	r.waitOff(m)
	r.checkShown(m, "target does not answer for 5s", "target did not answer a ping (NOP) in time", "logged in again after")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	r.sameDisks("late answers", m)
}

// The target is killed while root is searched and mounted, and stays down: the console shows which
// step waits and why, rd.timeout= ends the boot, and Ctrl-Alt-Del works, although the kernel would
// wait a day for the disk's cache.
func TestBootTargetLost(t *testing.T) {
	r := newBootFaultRig(t)
	fault := faultAfter(61, faultproxy.Drop)
	fault.Call = func() {
		if err := r.target.Stop(); err != nil {
			t.Error(err)
		}
	}
	r.proxy("10.77.0.1:3271", r.target.Addr(), fault)
	m := r.bootReboot(r.img, machineLine+targetLine+proxyPortal+"quiet rd.timeout=25")
	r.expect(m, "iscsiroot: step ", ": in ", " for 10 s; session 1 down for ",
		"gave up after 25 s (rd.timeout=): in ", "session 1 down for ", "iscsiroot: rebooting in 60 s")
	r.ctrlAltDel(m)
	r.checkShown(m, "shutdown: session 1: ")
}

// The DHCP server is away between its offer and the acknowledgement.
func TestBootDHCPServerOutage(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.tgtd()
	offers, requests := 0, 0
	r.dhcpScript(func(m *dhcpv4.DHCPv4) []*dhcpv4.DHCPv4 {
		switch m.MessageType() {
		case dhcpv4.MessageTypeDiscover:
			if offers++; offers > 1 && requests < 3 {
				return nil
			}
			return []*dhcpv4.DHCPv4{dhcpReply(m, dhcpv4.MessageTypeOffer, 1, 50, nil)}
		case dhcpv4.MessageTypeRequest:
			if requests++; requests > 2 {
				return []*dhcpv4.DHCPv4{dhcpReply(m, dhcpv4.MessageTypeAck, 1, 50, nil)}
			}
		}
		return nil
	})
	m := r.boot(virtio, "", "console=ttyS0 ip=dhcp iscsi_i="+initiator+" iscsi_t="+targetName+" iscsi_a=10.77.0.1")
	r.waitOff(m)
	r.checkShown(m, "network: ens2 is up with 10.77.0.50/24 from 10.77.0.1")
	if requests < 3 || strings.Count(m.Output(), "not a network") > 0 {
		t.Errorf("%d requests", requests)
	}
}
