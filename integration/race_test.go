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

// raceInit and raceFaulty are init and its double with bugs, built with the race detector when the first test needs them. The
// detector is C, so that a program with it is linked by gcc, with libc.a: there are no shared libraries where PID 1 runs. The
// tags take from package net and os/user what would look for some nevertheless.
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

// raceMemory is for the detector, which takes several bytes for each byte of the program's.
const raceMemory = 1024

// raceStart boots an init that watches itself. The detector of PID 1 writes to the console. It reads GORACE in
// /proc/self/environ, where nothing is before PID 1 has mounted /proc: it goes on after a report, and reports are all there is.
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

// raceBoot boots to the guest's end. A race that the detector sees until then fails the test.
func (r peerRig) raceBoot(line string) *lab.Machine {
	r.t.Helper()
	m := r.raceStart(raceInit, line)
	r.t.Cleanup(func() {
		for _, found := range races(m.Output()) {
			r.t.Errorf("on the console:\n%s", found)
		}
	})
	r.expect(m, verified)
	r.off(m)
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

// A race in a step shows on the console: what the other tests look for can be seen.
func TestRaceIsSeen(t *testing.T) {
	r := newPeerRig(t)
	m := r.raceStart(raceFaulty, "iscsi_a=10.77.0.1 rd.iscsiroot.fault=race")
	r.expect(m, raceReport, "main.race", "Goroutine ")
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
}

// A boot from one target, with another one that is absent, has no data race that the detector sees.
func TestRaceBoot(t *testing.T) {
	r := newPeerRig(t)
	r.dataDisk("agent")
	r.startTgtd(targets.Config{})
	r.raceBoot("iscsi_a=10.77.0.1 iscsi_t.2=" + targetName + ".absent iscsi_a.2=10.77.0.1:3299 root=/dev/sda2")
}

// Nor has one whose session is lost behind the login, so that recovery runs in PID 1, and once more when the agent has it.
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
	if n := p.Struck(); n != 2 {
		t.Errorf("struck %d times", n)
	}
}
