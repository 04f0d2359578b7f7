//go:build linux

package modload

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
			data, err := os.ReadFile(filepath.Join(dir, d.Name(), "modalias"))
			if alias := strings.TrimSpace(string(data)); err == nil && alias != "" {
				out = append(out, alias)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Wanted tells whether a module may be loaded because a device's modalias asks for it: bus drivers and Ethernet, by
// kmod's Kind. It is false for everything else, block drivers above all, so that a machine's local disks stay out of
// sight.
func Wanted(m kmod.Module) bool { return m.Kind() != kmod.KindOther }
