//go:build soak

package integration

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// Outages of 150 seconds, longer than the kernel's default of two minutes: a target that is down, a
// cable that is pulled, and a network that drops all frames.
func TestSoakLongOutages(t *testing.T) {
	f := newFaultRig(t, 320)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	t.Cleanup(cancel)
	f.ctx = ctx
	const outage = 150 * time.Second
	f.m = f.boot(virtio, "", "console=ttyS0 rw "+seedLine+" "+oneWayLine) // the default timers
	f.waitAgent()
	f.waitWritten()
	f.stopTarget()
	f.sleep(outage)
	f.startTarget(oneWay.Secret)
	f.waitRecovered()
	f.link(false)
	f.sleep(outage)
	f.link(true)
	f.waitRecovered()
	if err := f.tap.SetUp(false); err != nil {
		t.Fatal(err)
	}
	f.sleep(outage)
	if err := f.tap.SetUp(true); err != nil {
		t.Fatal(err)
	}
	f.waitRecovered()
	f.finish()
}

// The pause of a minute for a duplicate initiator name, and the login after it.
func TestSoakDuplicateInitiatorName(t *testing.T) {
	f := duplicateInitiator(t)
	f.expect(f.m, "the pause of 60 s is over", targetName+": logged in again after 6")
	f.finish()
}

// soakLease is how long a machine runs with a lease of two minutes; ISCSIROOT_SOAK_LEASE sets
// another time, 1h for example.
const soakLease = 7 * time.Minute

// A lease of 120 s, in a system without a DHCP client, is renewed by the agent: the server never
// assigns the address to another machine.
func TestSoakLease(t *testing.T) {
	outlive := soakLease
	if text := os.Getenv("ISCSIROOT_SOAK_LEASE"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		outlive = d
	}
	const perMinute = 25 // MiB that the guest writes
	f := newFaultRig(t, 100+perMinute*int(outlive/time.Minute))
	ctx, cancel := context.WithTimeout(t.Context(), outlive+faultsDeadline)
	t.Cleanup(cancel)
	f.ctx = ctx
	server, err := f.ns.StartDnsmasq(f.ctx, "--interface=tap0", "--bind-interfaces", "--dhcp-range=10.77.0.50,10.77.0.60,255.255.255.0,120", "--dhcp-authoritative")
	if err != nil {
		t.Fatal(err)
	}
	f.m = f.start(virtio, lab.MachineConfig{
		Append: "console=ttyS0 rw ip=dhcp iscsi_i=" + initiator + " iscsi_t=" + targetName + " iscsi_a=10.77.0.1 " + oneWayLine, NICs: []lab.NIC{{Tap: f.tap}},
	})
	f.waitAgent()
	f.checkShown(f.m, "guest: status: lease ens2 from 10.77.0.1")
	f.waitWritten()
	f.sleep(outlive)
	f.waitWritten()
	f.run("run /run/initramfs/shutdown status")
	f.checkShown(f.m, "guest: out: session 1: logged in (connection up), root is on it", "guest: out: lease of ens2: from 10.77.0.1, ends in ")
	acks := strings.Count(server.Log(), " DHCPACK(")
	t.Logf("%d acknowledgements in %v", acks, outlive)
	if least := int(outlive/time.Minute) - 1; acks < least {
		t.Errorf("%d acknowledgements in %v, want %d: log:\n%s", acks, outlive, least, server.Log())
	}
	f.finish()
}

// A disk answers every write with ABORTED COMMAND for more than a minute. No command fails; the
// agent reports the disk, and its recovery.
func TestSoakAbortedCommands(t *testing.T) {
	f := newFaultRig(t, 320)
	f.m = f.boot(virtio, "", faultLine)
	f.waitAgent()
	f.waitWritten()
	f.first.Sense(0x0b)
	f.expect(f.m, "disk sda (LUN 1) has answered every command with an error for ")
	f.run("run /run/initramfs/shutdown status")
	f.checkShown(f.m, "guest: out:   disk       sda answers every command with an error for ")
	f.first.Sense(0)
	f.expect(f.m, "disk sda works again after ")
	f.waitWritten()
	f.finish()
}
