package netup

import (
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/network"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Cards without a driver are the hint only where there is no NIC, and no driver that may still make
// one.
func TestHintOfCards(t *testing.T) {
	buses := t.TempDir()
	fakeDevice(t, buses, "pci/devices/0000:00:03.0", false, "class", "0x020000", "vendor", "0x8086", "device", "0x100e")
	for _, tt := range []struct {
		name  string
		state network.State
		hint  bool
	}{
		{"nothing", network.State{}, true},
		{"a NIC", network.State{Links: []network.Link{{Name: "eth0"}}}, false},
		{"a driver is being loaded", network.State{Loading: []string{"e1000"}}, false},
	} {
		err := explainNoNIC(&network.WaitError{State: tt.state, Err: os.ErrDeadlineExceeded}, buses)
		if got := sequence.Hint(err) == "the image has no driver for 0000:00:03.0 (pci 8086:100e)"; got != tt.hint || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v (%s)", tt.name, err, sequence.Hint(err))
		}
	}
}

// A machine without an interface is worth another try as long as a driver was loaded during this
// attempt, or the pause before it, and no longer.
func TestUntilDrivers(t *testing.T) {
	const last = AttemptTimeout + sequence.MaxPause*3/2
	synctest.Test(t, func(t *testing.T) {
		driver := &slowDriver{ends: time.Now()}
		s := New(Config{Drivers: driver})
		none := &network.WaitError{Err: os.ErrDeadlineExceeded}
		time.Sleep(last - time.Nanosecond)
		if !sequence.Retryable(s.untilDrivers(none)) {
			t.Errorf("not retried when the last driver was loaded %v ago", driver.Idle())
		}
		if sequence.Retryable(s.untilDrivers(os.ErrPermission)) {
			t.Error("another error is retried")
		}
		time.Sleep(time.Nanosecond)
		if sequence.Retryable(s.untilDrivers(none)) {
			t.Errorf("retried when the last driver was loaded %v ago", driver.Idle())
		}
	})
	if last != 10*time.Second+sequence.MaxPause+sequence.MaxPause/2 {
		t.Error(last) // an attempt, and the longest pause with its jitter
	}
}

// The host name is that of the command line, or the first that a lease has; an error is logged.
func TestHostName(t *testing.T) {
	nstest.Run(t, unix.CLONE_NEWNS|unix.CLONE_NEWUTS, func() {
		if err := unix.Mount("test", "/etc", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		leases := []dhcp.Lease{{}, {HostName: "second"}, {HostName: "third"}}
		for _, tt := range []struct {
			given  string
			leases []dhcp.Lease
			want   string
			logged bool
		}{
			{"", leases, "second", false},
			{"given", leases, "given", false},
			{"", nil, "given", false}, // it stays
			{string(make([]byte, 65)), nil, "given", true},
		} {
			log := &steptest.Recorder{}
			s := New(Config{Log: log, Plan: &bootspec.Plan{}})
			s.Plan.Net.HostName.V = tt.given
			s.Name(tt.leases)
			if name, err := os.Hostname(); name != tt.want || err != nil || (len(log.All()) > 0) != tt.logged {
				t.Errorf("%q: the name is %q, %v, log %q", tt.given, name, err, log.All())
			}
		}
	})
}

// Each domain is looked up once, a lease's own before those of its list.
func TestSearchDomains(t *testing.T) {
	got := searchDomains([]dhcp.Lease{
		{Domain: "a", Search: []string{"b", "c"}}, {Domain: "c", Search: []string{"d", "c", "e"}}, {Search: []string{"a", "f"}}, {},
	})
	if want := []string{"a", "b", "c", "d", "e", "f"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
