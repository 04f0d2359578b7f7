package bootspec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// addPaths adds how many paths to a target are tried, and what asks for them.
func (p Plan) addPaths(s *settingList, t *Target) {
	paths := p.paths(t)
	if !paths[0].Multipath.V {
		return
	}
	p.MarkUnused(paths, p.Net.Facts())
	var portals, nics []string
	unused := 0
	for _, one := range paths {
		if one.Unused != "" {
			unused++
		}
		for _, v := range one.Portals {
			portals = appendNew(portals, v.V.String())
		}
		if one.NIC.Given() {
			nics = appendNew(nics, one.NIC.V.String())
		}
	}
	text := fmt.Sprintf("%d to target %s", len(paths), redactName(t.Name.V))
	if len(portals) > 0 {
		text += ": portals " + strings.Join(portals, ", ")
	}
	if len(nics) > 0 {
		text += " by " + strings.Join(nics, ", ")
	}
	if unused > 0 {
		text += fmt.Sprintf("; %d not used: the NIC does not have the portal's network", unused)
	}
	s.name("paths", text, paths[0].Multipath.From)
}

// appendNew adds a text to a list, unless it is in it.
func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// addMultipath adds that disks are not joined, the paths to a target that DHCP may name, and the
// WWIDs of maps.
func (p Plan) addMultipath(s *settingList) {
	m := p.Multipath
	if m.On.Given() && !m.On.V {
		s.add("multipath maps", "none: one session to each target", m.On.From)
		return
	}
	if m.On.V && len(p.Targets) == 0 {
		text := "one to each portal of the target that DHCP names"
		var nics []string
		for _, v := range m.NICs {
			nics = append(nics, v.V.String())
		}
		if len(nics) > 0 {
			text += " by " + strings.Join(nics, ", ")
		}
		s.add("paths", text, m.On.From)
	}
	addAll(s, "WWID of a multipath map", m.IDs)
}

// addPathTimers adds the timers of paths, if there are any.
func (p Plan) addPathTimers(s *settingList) {
	if !slices.ContainsFunc(p.Sessions(), func(t Target) bool { return t.Multipath.V }) {
		return
	}
	t := p.Login.Timers
	s.add("I/O waits in a multipath map without a path", duration(t.Recovery.Or(DefaultRecovery)), orDefault(t.Recovery.From))
	if !t.NoPings() {
		from := strings.Trim(t.PingInterval.From+", "+t.PingTimeout.From, ", ")
		s.add("pings of paths", fmt.Sprintf("after %s, lost after %s more", t.PingInterval.Or(PathPingInterval), t.PingTimeout.Or(PathPingTimeout)), cmp.Or(from, "default"))
	}
}

// DefaultRecovery is for how long I/O waits for a target without Timers.Recovery: a day, where the
// kernel's default of two minutes would make root fail with I/O errors.
const DefaultRecovery = 24 * time.Hour
