package uevent

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel runs the filter: over a pair of sockets it lets the events of
// devices through, and of other actions than add all.
func TestFilter(t *testing.T) {
	for text, want := range map[string]bool{
		"add@/devices/pci0000:00/0000:00:02.0\x00ACTION=add\x00": true,
		"add@/module/ext4\x00ACTION=add\x00":                     false,
		"add@/kernel/slab/x\x00":                                 false,
		"add@/bus/scsi/drivers/sd\x00":                           false,
		"change@/devices/virtual/block/sda\x00":                  true,
		"remove@/module/ext4\x00":                                true,
		"bind@/devices/x\x00":                                    true,
		"add@":                                                   false, // too short to be an event
	} {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		attach(pair[1])
		_ = unix.SetsockoptTimeval(pair[1], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 1000})
		if _, err := unix.Write(pair[0], []byte(text)); err != nil && !errors.Is(err, unix.EPERM) {
			t.Fatal(err) // EPERM: the filter's word to a sender of a socket pair
		}
		buf := make([]byte, maxEvent)
		n, err := unix.Read(pair[1], buf)
		if got := err == nil && string(buf[:n]) == text; got != want {
			t.Errorf("%q: passed %v (%v)", text, got, err)
		}
		_ = unix.Close(pair[0])
		_ = unix.Close(pair[1])
	}
}
