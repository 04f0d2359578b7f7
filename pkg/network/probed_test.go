package network

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// An interface is not set up before the driver's probe is over: the attribute
// is a named pipe here, whose reader waits as on the kernel's lock.
func TestSetUpWaitsForTheProbe(t *testing.T) {
	sys := t.TempDir()
	dev := filepath.Join(sys, "eth9/device")
	if err := os.MkdirAll(dev, 0o700); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dev, "driver_override")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	var probed atomic.Bool
	go func() {
		// To open it for writing is to wait for the reader.
		if f, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil {
			probed.Store(true)
			_ = f.Close()
		}
	}()
	// There is no such link, so that to set it up fails, after the wait.
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Index = "eth9", 1<<30
	if err := raise(sys, &netlink.Device{LinkAttrs: attrs}); err != nil || !probed.Load() {
		t.Errorf("%v; the probe was over: %v", err, probed.Load())
	}
}
