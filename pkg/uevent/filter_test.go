package uevent

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel runs the filter: over a pair of sockets it lets the events of devices through, and of
// other actions than add all.
func TestFilter(t *testing.T) {
	passes(t, filter(), map[string]bool{
		"add@/devices/pci0000:00/0000:00:02.0\x00ACTION=add\x00": true,
		"add@/module/ext4\x00ACTION=add\x00":                     false,
		"add@/kernel/slab/x\x00":                                 false,
		"add@/bus/scsi/drivers/sd\x00":                           false,
		"change@/devices/virtual/block/sda\x00":                  true,
		"remove@/module/ext4\x00":                                true,
		"bind@/devices/x\x00":                                    true,
		"add@":                                                   false, // too short to be an event
	})
}

// Of all a machine's devices only iSCSI sessions' pass, and what they come and go with.
func TestISCSIFilter(t *testing.T) {
	const disk = "/devices/platform/host2/session1/target2:0:0/2:0:0:1/block/sda"
	passes(t, iscsiFilter(), map[string]bool{
		"add@" + disk + "\x00ACTION=add\x00":                              true,
		"remove@" + disk + "\x00ACTION=remove\x00":                        true,
		"add@/devices/platform/host12/session1\x00":                       true,
		"change@" + disk + "\x00":                                         true,
		"change@/devices/pci0000:00/0000:00:02.0\x00":                     false,
		"bind@/devices/platform/host2/session1/target2:0:0/2:0:0:1\x00":   false,
		"add@/devices/pci0000:00/0000:00:02.0/ata1/host0/target0:0:0\x00": false,
		"remove@/devices/pci0000:00/0000:00:02.0\x00":                     false,
		"add@/devices/platform/hpet\x00":                                  false,
		"remove@/devices/platform/i8042/serio0\x00":                       false,
		"add@/devices/virtual/block/dm-0\x00":                             false,
		"add@/module/ext4\x00":                                            false,
		"add@/d":                                                          false, // too short
		"remove@/d":                                                       false,
	})
}

// Those pass too that are about the state of a path.
func TestPathFilter(t *testing.T) {
	const unit = "/devices/platform/host2/session1/target2:0:0/2:0:0:1"
	passes(t, pathFilter(), map[string]bool{
		"add@" + unit + "/block/sda\x00": true, "remove@" + unit + "/block/sda\x00": true,
		"change@" + unit + "\x00SDEV_UA=ASYMMETRIC_ACCESS_STATE_CHANGED\x00": true,
		"change@/devices/virtual/block/dm-3\x00DM_ACTION=PATH_FAILED\x00":    true,
		"add@/devices/virtual/block/dm-3\x00":                                false,
		"change@/devices/virtual/block/loop0\x00":                            false,
		"bind@" + unit + "\x00":                                              false,
	})
}

// passes returns the texts that a filter accepts.
func passes(t *testing.T, f []unix.SockFilter, texts map[string]bool) {
	t.Helper()
	for text, want := range texts {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		attach(pair[1], f)
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
