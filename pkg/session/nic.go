package session

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// NIC is the name or MAC of the interface that the session's connections are bound to, as the boot
// has it; "": the kernel chooses.
func (s *Session) NIC() string { return s.nic }

// NoNICError reports that the machine does not have a session's NIC.
type NoNICError struct{ NIC string } // a name, or a MAC

// Error implements error.
func (e *NoNICError) Error() string { return fmt.Sprintf("no such NIC: %s", e.NIC) }

// Retryable returns true: its driver may be loaded late, and it may be plugged in.
func (e *NoNICError) Retryable() bool { return true }

// allowed returns the ways that a session with a NIC may use: those by a device, which the caller
// has found for the NIC, or the NIC itself. For other sessions these are all ways.
func (s *Session) allowed(ways []Way) ([]Way, error) {
	if s.nic == "" {
		return ways, nil
	}
	anyDevice := func(w Way) bool { return w.Device == "" }
	if ways = slices.DeleteFunc(slices.Clone(ways), anyDevice); len(ways) > 0 {
		return ways, nil
	}
	device, err := deviceOf("/sys/class/net", s.nic)
	if err != nil {
		return nil, err
	}
	return []Way{{Device: device}}, nil
}

// deviceOf returns the name of an interface, which is given by that or by its MAC. Of several with
// the MAC, as the bond, bridge or VLAN above a NIC has it, it is the NIC. A port of a bond or
// bridge receives nothing itself: it is what the NIC is a port of. dir is /sys/class/net.
func deviceOf(dir, nic string) (string, error) {
	if !strings.Contains(nic, ":") {
		if _, err := os.Stat(filepath.Join(dir, nic)); err != nil {
			return "", &NoNICError{nic}
		}
		return masterOf(dir, nic), nil
	}
	entries, _ := os.ReadDir(dir)
	found, best := "", 0
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name(), "address"))
		if err != nil || strings.TrimSpace(string(b)) != nic {
			continue
		}
		rank := 1
		if _, err := os.Stat(filepath.Join(dir, e.Name(), "master")); err != nil {
			rank = 2
			if _, err := os.Stat(filepath.Join(dir, e.Name(), "device")); err == nil {
				rank = 3
			}
		}
		if rank > best {
			found, best = e.Name(), rank
		}
	}
	if found == "" {
		return "", &NoNICError{nic}
	}
	return found, nil
}

// maxPorts is how many ports may be above each other: a bond is one of a bridge.
const maxPorts = 4

// masterOf returns the bridge or bond that an interface is a port of, or the interface. A VRF,
// which is a master too, is not above it: an interface of a VRF receives.
func masterOf(dir, name string) string {
	for range maxPorts {
		_, bridged := os.Stat(filepath.Join(dir, name, "brport"))
		_, bonded := os.Stat(filepath.Join(dir, name, "bonding_slave"))
		master, err := os.Readlink(filepath.Join(dir, name, "master"))
		if err != nil || bridged != nil && bonded != nil {
			break
		}
		name = filepath.Base(master)
	}
	return name
}
