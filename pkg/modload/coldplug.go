//go:build linux

package modload

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// Modaliases returns the distinct modalias strings below sys (normally "/sys"), sorted: those of
// bus/*/devices/*/modalias. A device that goes away meanwhile is passed over.
func Modaliases(sys string) ([]string, error) {
	buses, err := os.ReadDir(filepath.Join(sys, "bus"))
	if err != nil {
		return nil, fmt.Errorf("read modaliases: %w", err)
	}
	var out []string
	for _, bus := range buses {
		dir := filepath.Join(sys, "bus", bus.Name(), "devices")
		devices, err := os.ReadDir(dir)
		if err != nil {
			continue // a bus without devices, or not a bus
		}
		for _, d := range devices {
			if alias := readAttr(dir + "/" + d.Name() + "/modalias"); alias != "" {
				out = append(out, alias)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// readAttr returns the trimmed text of a sysfs file, empty if there is none. A boot looks at some 300 devices before it
// can do anything else; without os.ReadFile, which prepares each file for waiting, that takes about half the time.
func readAttr(name string) string {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var buf [4096]byte // sysfs gives at most a page, in one read
	n, err := unix.Read(fd, buf[:])
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(buf[:n]))
}

// Wanted tells whether a module may be loaded because a device's modalias asks for it: bus drivers and Ethernet, by
// kmod's Kind. It is false for everything else, block drivers above all, so that a machine's local disks stay out of
// sight.
func Wanted(m kmod.Module) bool { return m.Kind() != kmod.KindOther }
