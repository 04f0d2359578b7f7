//go:build linux

// Package trial boots a machine of a hosts file in QEMU before the real one does: from the files
// that pxe would write for it now, by firmware, boot loader and network, with a copy of its disk
// behind a target.
//
// Everything runs in a network namespace of its own and ends with Run. It needs root, QEMU and
// dnsmasq, and the firmware that scripts/deps.sh brings.
package trial

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/netboot"
)

// Config describes the trial.
type Config struct {
	// Room has the machine.
	Room *netboot.Room
	// Host is its name.
	Host string
	// Dir is the directory that pxe writes to. Kernels, images and boot loaders are taken from
	// it, and nothing is written.
	Dir string
	// Disk is the image behind the machine's LUN; empty: that of the hosts file.
	Disk string
	// Write lets the machine write to Disk itself; otherwise it has a copy.
	Write bool
	// NIC is QEMU's model of the machine's card; empty: one that the image has the driver of.
	NIC string
	// MemoryMiB is the machine's; 0: 512, or 1024 under EFI.
	MemoryMiB int
	// Expect is what the console has to show after the real init was started; empty: anything
	// that is not the kernel's.
	Expect string
}

// Stage is a part of the boot.
type Stage struct {
	// Name is firmware, loader, kernel, init or "root's init".
	Name string
	// Took is by the host's clock; of the last one until its first words.
	Took time.Duration
}

// Step is one of init's steps; several run at a time.
type Step struct {
	Name string
	Took time.Duration
}

// Result is how far the machine came.
type Result struct {
	// Stages are those that were passed, in their order.
	Stages []Stage
	// Steps are those that init has logged as done.
	Steps []Step
	// Notes are the differences from the real machine.
	Notes []string
	// Console is all that the machine showed.
	Console string
}

// Error is a stage that was not passed.
type Error struct {
	// Stage is its name.
	Stage string
	// Err is what was seen, or why the wait ended.
	Err error
}

// Error names the stage first.
func (e *Error) Error() string { return fmt.Sprintf("failed at %s: %v", e.Stage, e.Err) }

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// host finds the machine.
func (c Config) host() (netboot.Host, error) {
	i := slices.IndexFunc(c.Room.Hosts, func(h netboot.Host) bool { return h.Name == c.Host })
	if i < 0 {
		var names []string
		for _, h := range c.Room.Hosts {
			names = append(names, h.Name)
		}
		return netboot.Host{}, fmt.Errorf("no host of that name: there is %s", strings.Join(names, ", "))
	}
	h := c.Room.Hosts[i]
	if c.Disk != "" {
		h.Disk = c.Disk
	}
	if h.Disk == "" {
		return h, errors.New("its disk is not given: write disk: in the hosts file, or use --disk IMAGE")
	}
	return h, nil
}
