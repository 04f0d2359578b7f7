package integration

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// bootFaultRig boots one machine after the other from a target behind a proxy, which injects faults
// during the boot.
type bootFaultRig struct {
	peerRig
	img      image
	target   *targets.Tgtd
	fullBoot bool // machines boot from the start instead of resuming, so that the time of the boot can be measured
}

// proxyPortal is the parameter with the proxy's portal.
const proxyPortal = "iscsi_a=10.77.0.1:3271 "

func newBootFaultRig(t *testing.T) *bootFaultRig {
	t.Helper()
	r := &bootFaultRig{peerRig: newPeerRig(t), img: virtio}
	r.dataDisk("disks")
	r.target = r.startTgtd(targets.Config{})
	return r
}

// faultAfter is a fault of the first connection, in place of the PDU after the n-th from the
// target.
func faultAfter(n int, a faultproxy.Action) faultproxy.Fault {
	return faultproxy.Fault{Direction: faultproxy.ToInitiator, PDU: n + 1, Action: a, Until: 1}
}

// machine starts a machine. Faults of the network come after its step modules at the earliest.
func (r *bootFaultRig) machine(line string) *lab.Machine {
	r.t.Helper()
	if r.fullBoot {
		return r.boot(r.img, "", line)
	}
	return r.resume(r.img, line)
}

// bootWithFaults boots through a proxy with faults to the real init, which verifies its data. It
// checks that the target has one session then, and that each fault was injected, and returns the
// machine.
func (r *bootFaultRig) bootWithFaults(name, more string, faults ...faultproxy.Fault) *lab.Machine {
	r.t.Helper()
	r.renew()
	p := r.proxy("10.77.0.1:3271", r.target.Addr(), faults...)
	m := r.machine(machineLine + targetLine + proxyPortal + more)
	r.expect(m, verified)
	if !slices.ContainsFunc(faults, func(f faultproxy.Fault) bool { return f.Call != nil }) { // it may start another target
		if n, err := r.target.Sessions(r.ctx); n != 1 || err != nil {
			r.t.Errorf("%s: %d sessions at the target, %v, want 1", name, n, err)
		}
	}
	r.waitOff(m)
	if n := p.Triggered(); n != len(faults) {
		r.t.Errorf("%s: %d faults injected in %d logins, want %d", name, n, len(p.Logins()), len(faults))
	}
	if err := p.Close(); err != nil {
		r.t.Errorf("%s: %v", name, err)
	}
	return m
}

// diskLines are the guest's lines about the disks that the kernel has probed, and the session's
// timers.
func diskLines(m *lab.Machine) string {
	var out []string
	for line := range strings.Lines(m.Output()) {
		if i := strings.Index(line, "guest: disk "); i >= 0 {
			out = append(out, strings.TrimSpace(line[i:]))
		}
	}
	return strings.Join(out, "\n")
}

// faultlessDisks is diskLines of a boot without a fault, by kernel.
var faultlessDisks sync.Map // string -> func() string

// sameDisks checks that the kernel has probed the same disks as in a boot without a fault.
func (r *bootFaultRig) sameDisks(name string, m *lab.Machine) {
	r.t.Helper()
	once, _ := faultlessDisks.LoadOrStore(r.img.kernel, sync.OnceValue(func() string { return diskLines(r.bootWithFaults("no fault", "")) }))
	want := once.(func() string)()
	if got := diskLines(m); got != want || !strings.Contains(want, "cache_type=write_back") || !strings.Contains(want, "timer recovery_tmo=86400") {
		r.t.Errorf("%s: the kernel reports the disks\n%s\nwant\n%s", name, got, want)
	}
}

var startOfInit = regexp.MustCompile(`starting \S+ after ([0-9.]+) s`)

// bootTime is the time from the start of /init to that of the real init, in seconds. For a machine
// that was resumed it includes the time in the shell.
func (r *bootFaultRig) bootTime(m *lab.Machine) float64 {
	r.t.Helper()
	found := startOfInit.FindStringSubmatch(m.Output())
	if found == nil {
		r.t.Fatal("the console does not show how long the boot took")
	}
	seconds, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return seconds
}

// matrixRow boots once for each n with the same action after n PDUs, and returns the times of the
// boots.
func (r *bootFaultRig) matrixRow(a faultproxy.Action, numbers []int) (seconds []float64) {
	r.t.Helper()
	for _, n := range numbers {
		name := fmt.Sprintf("%v after %d PDUs", a, n)
		m := r.bootWithFaults(name, "", faultAfter(n, a))
		r.sameDisks(name, m)
		took := r.bootTime(m)
		r.t.Logf("%s: the real init starts after %.2f s", name, took)
		seconds = append(seconds, took)
	}
	return seconds
}
