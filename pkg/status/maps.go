package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// kernelMaps returns the kernel's multipath maps.
func kernelMaps() ([]maps.Map, error) {
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

// multipath returns a paragraph for each map with a path of an iSCSI session, and what is wrong
// with them.
func multipath(all []maps.Map) (text string, wrong []string) {
	var out strings.Builder
	for i := range all {
		m := &all[i]
		if !slices.ContainsFunc(m.Paths, func(p maps.Path) bool { return p.Session != 0 }) {
			continue
		}
		works := 0
		for _, p := range m.Paths {
			if !p.Failed {
				works++
			}
		}
		fmt.Fprintf(&out, "%s: multipath, %d of %d paths work, %s\n", m.Name, works, len(m.Paths), queueText(m))
		for _, p := range m.Paths {
			fmt.Fprintf(&out, "  %-10s %s\n", diskName(p), pathText(m, p))
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

// pathText describes a path, as "session 2, group 1 (in use), active/optimized, failed, 3
// failures".
func pathText(m *maps.Map, p maps.Path) string {
	out := []string{fmt.Sprintf("session %d", p.Session), fmt.Sprintf("group %d", p.Group+1)}
	if p.Session == 0 {
		out[0] = "no session"
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
