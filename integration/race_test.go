package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// raceInit and raceFaulty are init and its variant with faults, built with the race detector at
// their first use. The detector is C, so a program with it is linked by gcc, statically: the
// initramfs has no shared libraries. The tags exclude the parts of packages net and os/user that
// would load some at run time.
var (
	raceInit   = raceBuild("../cmd/init")
	raceFaulty = raceBuild("./faulty")
)

func raceBuild(pkg string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		out := filepath.Join(built.dir, "race-"+filepath.Base(pkg))
		cmd := exec.CommandContext(context.Background(), "go", "build", "-race", "-trimpath", "-buildvcs=false", "-tags", "netgo,osusergo",
			"-ldflags", "-s -w -linkmode external -extldflags -static", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOOS=linux", "GOARCH=amd64")
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s with the race detector: %w\n%s", pkg, err, text)
		}
		return out, nil
	})
}

// raceMemory is the machine's memory in MiB; the detector needs several bytes for each byte of the
// program.
const raceMemory = 1024

// raceStart boots an init with the race detector, which writes to the console. It cannot be
// configured: it reads GORACE from /proc/self/environ, and /proc is not mounted yet. By default the
// program continues after a report.
func (r peerRig) raceStart(build func() (string, error), line string) *lab.Machine {
	r.t.Helper()
	path, err := build()
	if err != nil {
		r.t.Fatal(err)
	}
	r.renew()
	return r.start(image{nics: "virtio_net", init: path}, lab.MachineConfig{
		Append: machineLine + targetLine + line, MemoryMiB: raceMemory, NICs: []lab.NIC{{Tap: r.tap}},
	})
}

// raceBoot boots to the guest's end. A race that the detector reports until then fails the test.
func (r peerRig) raceBoot(line string) *lab.Machine {
	r.t.Helper()
	m := r.raceStart(raceInit, line)
	r.t.Cleanup(func() {
		for _, found := range races(m.Output()) {
			r.t.Errorf("on the console:\n%s", found)
		}
	})
	r.expect(m, verified)
	r.waitOff(m)
	return m
}

const raceReport = "WARNING: DATA RACE"

// races returns the reports of the race detector in a console's text.
func races(text string) (found []string) {
	for {
		_, after, ok := strings.Cut(text, raceReport)
		if !ok {
			return found
		}
		report, rest, _ := strings.Cut(after, "==================")
		found, text = append(found, raceReport+report), rest
	}
}

// A race in a step is reported on the console: the text that the other tests search for appears.
func TestRaceDetectorReports(t *testing.T) {
	r := newPeerRig(t)
	m := r.raceStart(raceFaulty, "iscsi_a=10.77.0.1 rd.iscsiroot.fault=race")
	r.expect(m, raceReport, "main.race", "Goroutine ")
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
}

// A boot from one target, with another one that is absent, has no data race.
func TestRaceBoot(t *testing.T) {
	r := newPeerRig(t)
	r.dataDisk("agent")
	r.startTgtd(targets.Config{})
	r.raceBoot("iscsi_a=10.77.0.1 iscsi_t.2=" + targetName + ".absent iscsi_a.2=10.77.0.1:3299 root=/dev/sda2")
}

// A boot whose session is lost after the login, so that recovery runs in PID 1, and again after the
// hand-over to the agent, has no data race.
func TestRaceReset(t *testing.T) {
	r := newPeerRig(t)
	r.dataDisk("agent")
	target := r.startTgtd(targets.Config{})
	p := r.proxy("10.77.0.1:3271", target.Addr(), faultproxy.Fault{Direction: faultproxy.ToInitiator, PDU: 9, Action: faultproxy.Reset, Until: 1},
		faultproxy.Fault{Direction: faultproxy.ToInitiator, PDU: 140, Action: faultproxy.Reset, From: 1, Until: 2})
	m := r.raceBoot("iscsi_a=10.77.0.1:3271")
	_, after, _ := strings.Cut(m.Output(), "starting /sbin/init")
	if !strings.Contains(after, "session 1 to "+targetName+": logged in again after") {
		t.Error("the agent did not log in again")
	}
	if n := p.Triggered(); n != 2 {
		t.Errorf("%d faults injected", n)
	}
}
