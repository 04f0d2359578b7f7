package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// KernelMaps returns the kernel's multipath maps.
func KernelMaps() ([]maps.Map, error) {
	if len(blockdev.Maps("/sys")) == 0 {
		return nil, nil // there may be no device-mapper
	}
	m := maps.Maps{Sys: "/sys", Dev: "/dev", Open: func() (maps.Mapper, error) {
		c, err := dm.Open(nil)
		if err != nil {
			return nil, err // not a typed nil
		}
		return c, nil
	}}
	return m.List()
}

// Maps returns a paragraph for each multipath map, with the state of each path and the portal of
// its session. sys is where sysfs is mounted.
func Maps(sys string, all []maps.Map) string {
	text, _ := multipath(sys, all)
	return text
}

// ofSessions returns those of maps that have a path of an iSCSI session.
func ofSessions(all []maps.Map) []maps.Map {
	return slices.DeleteFunc(slices.Clone(all), func(m maps.Map) bool {
		return !slices.ContainsFunc(m.Paths, func(p maps.Path) bool { return p.Session != 0 })
	})
}

// multipath returns a paragraph for each map, and what is wrong with them.
func multipath(sys string, all []maps.Map) (text string, wrong []string) {
	var out strings.Builder
	for i := range all {
		m := &all[i]
		works := 0
		for _, p := range m.Paths {
			if !p.Failed {
				works++
			}
		}
		fmt.Fprintf(&out, "%s: multipath, %d MiB, %d of %d paths work, %s\n", m.Name, m.Size>>20, works, len(m.Paths), queueText(m))
		for _, p := range m.Paths {
			fmt.Fprintf(&out, "  %-10s %s\n", diskName(p), pathText(sys, m, p))
		}
		switch {
		case works == 0:
			wrong = append(wrong, "map "+m.Name+" has no path")
		case works < len(m.Paths):
			wrong = append(wrong, fmt.Sprintf("map %s has %d of %d paths", m.Name, works, len(m.Paths)))
		}
	}
	return out.String(), wrong
}

func queueText(m *maps.Map) string {
	if m.Queue {
		return "I/O waits if no path is left"
	}
	return "I/O fails if no path is left"
}

func diskName(p maps.Path) string {
	if p.Disk == "" {
		return p.Number.String()
	}
	return p.Disk
}

// pathText describes a path, as "session 2 at 10.0.0.1 port 3260, group 1 (in use),
// active/optimized, failed, failures 3".
func pathText(sys string, m *maps.Map, p maps.Path) string {
	out := []string{"no session", fmt.Sprintf("group %d", p.Group+1)}
	if p.Session != 0 {
		out[0] = fmt.Sprintf("session %d", p.Session)
		if at := (attributes{kernel.Sysfs(sys), p.Session}).lastPortal(); at != "" {
			out[0] += " at " + at
		}
	}
	if p.Group < len(m.Groups) {
		out[1] += map[byte]string{'A': " (in use)", 'D': " (disabled)"}[m.Groups[p.Group]]
	}
	if p.Access != "" {
		out = append(out, string(p.Access))
	}
	state := "works"
	if p.Failed {
		state = "failed"
	}
	return strings.Join(append(out, state, fmt.Sprintf("failures %d", p.Failures)), ", ")
}
