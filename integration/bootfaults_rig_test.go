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

// bootFaultRig boots one machine after the other from a target behind a proxy, which strikes the boot.
type bootFaultRig struct {
	peerRig
	img    image
	target *targets.Tgtd
	anew   bool // each machine boots: for a measurement of the time since then
}

// behindProxy is the proxy's portal, as the machine is told of it.
const behindProxy = "iscsi_a=10.77.0.1:3271 "

func newBootFaultRig(t *testing.T) *bootFaultRig {
	t.Helper()
	r := &bootFaultRig{peerRig: newPeerRig(t), img: virtio}
	r.dataDisk("disks")
	r.target = r.startTgtd(targets.Config{})
	return r
}

// strike is a fault of the first connection in place of the PDU after the n-th from the target.
func strike(n int, a faultproxy.Action) faultproxy.Fault {
	return faultproxy.Fault{Direction: faultproxy.ToInitiator, PDU: n + 1, Action: a, Until: 1}
}

// machine starts a machine, which the network strikes after its modules at the earliest.
func (r *bootFaultRig) machine(line string) *lab.Machine {
	r.t.Helper()
	if r.anew {
		return r.boot(r.img, "", line)
	}
	return r.resume(r.img, line)
}

// bootStruck boots through a proxy with a fault, to the real init, which finds its data. The target has no session but the last
// one then. The boot's console is returned.
func (r *bootFaultRig) bootStruck(name, more string, faults ...faultproxy.Fault) *lab.Machine {
	r.t.Helper()
	r.renew()
	p := r.proxy("10.77.0.1:3271", r.target.Addr(), faults...)
	m := r.machine(machineLine + targetLine + behindProxy + more)
	r.expect(m, verified)
	if !slices.ContainsFunc(faults, func(f faultproxy.Fault) bool { return f.Call != nil }) { // it may start another target
		if n, err := r.target.Sessions(r.ctx); n != 1 || err != nil {
			r.t.Errorf("%s: %d sessions at the target, %v, want 1", name, n, err)
		}
	}
	r.off(m)
	if n := p.Struck(); n != len(faults) {
		r.t.Errorf("%s: struck %d times in %d logins, want %d", name, n, len(p.Logins()), len(faults))
	}
	if err := p.Close(); err != nil {
		r.t.Errorf("%s: %v", name, err)
	}
	return m
}

// disksOf is what the kernel of a machine found out about its disks, and the session's timers.
func disksOf(m *lab.Machine) string {
	var out []string
	for line := range strings.Lines(m.Output()) {
		if i := strings.Index(line, "guest: disk "); i >= 0 {
			out = append(out, strings.TrimSpace(line[i:]))
		}
	}
	return strings.Join(out, "\n")
}

// undisturbed is disksOf of a boot without a fault, by kernel.
var undisturbed sync.Map // string -> func() string

// sameDisks checks that the kernel found out the same about the disks as in a boot without a fault.
func (r *bootFaultRig) sameDisks(name string, m *lab.Machine) {
	r.t.Helper()
	once, _ := undisturbed.LoadOrStore(r.img.kernel, sync.OnceValue(func() string { return disksOf(r.bootStruck("no fault", "")) }))
	want := once.(func() string)()
	if got := disksOf(m); got != want || !strings.Contains(want, "cache_type=write_back") || !strings.Contains(want, "timer recovery_tmo=86400") {
		r.t.Errorf("%s: the kernel knows of its disks\n%s\nwant\n%s", name, got, want)
	}
}

var startOfInit = regexp.MustCompile(`starting \S+ after ([0-9.]+) s`)

// bootTime is how long the boot took, from our start to the real init's, in seconds: with what a machine that was resumed spent
// in the shell.
func (r *bootFaultRig) bootTime(m *lab.Machine) float64 {
	r.t.Helper()
	found := startOfInit.FindStringSubmatch(m.Output())
	if found == nil {
		r.t.Fatal("the console does not tell how long the boot took")
	}
	seconds, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return seconds
}

// matrixRow boots with the same action at each n, and returns the boots' times.
func (r *bootFaultRig) matrixRow(a faultproxy.Action, numbers []int) (seconds []float64) {
	r.t.Helper()
	for _, n := range numbers {
		name := fmt.Sprintf("%v after %d PDUs", a, n)
		m := r.bootStruck(name, "", strike(n, a))
		r.sameDisks(name, m)
		took := r.bootTime(m)
		r.t.Logf("%s: the real init starts after %.2f s", name, took)
		seconds = append(seconds, took)
	}
	return seconds
}
