package bootspec

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Setting is one value of a plan as it is shown.
type Setting struct {
	What  string // "target", "gateway"
	Value string // no secret
	From  string // its source, or "default"
}

// String returns the setting in one line.
func (s Setting) String() string { return fmt.Sprintf("%s %s (%s)", s.What, s.Value, s.From) }

// settingList collects the values that are given.
type settingList []Setting

func (s *settingList) add(what string, v any, from string) {
	if from != "" {
		*s = append(*s, Setting{what, Redact(fmt.Sprint(v)), from})
	}
}

// name adds an iSCSI name, or a user that may be one.
func (s *settingList) name(what, name, from string) {
	if from != "" {
		*s = append(*s, Setting{what, name, from})
	}
}

func addValue[T any](s *settingList, what string, v Value[T]) { s.add(what, v.V, v.From) }

func addAll[T any](s *settingList, what string, list []Value[T]) {
	for _, v := range list {
		addValue(s, what, v)
	}
}

// Explain returns a line for each value of the plan, with its source.
func (p Plan) Explain() []string {
	var out []string
	for _, s := range p.Settings() {
		out = append(out, s.String())
	}
	return out
}

// Settings returns the values of the plan that are given, and the defaults that matter.
func (p Plan) Settings() []Setting {
	s := &settingList{}
	p.Net.addTo(s)
	s.name("initiator", redactName(p.Initiator.V), p.Initiator.From)
	addAll(s, "name server", p.Net.Nameservers)
	addValue(s, "firmware's targets", p.Firmware)
	addValue(s, "target named by DHCP", p.ByDHCP)
	for _, t := range p.Targets {
		t.addTo(s)
		p.addPaths(s, &t)
	}
	p.addMultipath(s)
	addValue(s, "CHAP hashes", p.Login.Algorithms)
	addValue(s, "short CHAP secrets are refused", p.Login.StrictCHAP)
	addValue(s, "header digest", p.Login.HeaderDigest)
	addValue(s, "data digest", p.Login.DataDigest)
	p.Login.Timers.addTo(s)
	p.addPathTimers(s)
	p.Root.addTo(s)
	s.add("init", p.Init.V, p.Init.From)
	p.Policy.addTo(s)
	*s = append(*s, p.ModuleLists...)
	addValue(s, "ignored parameters", p.Ignore)
	return *s
}

func (t Timers) addTo(s *settingList) {
	s.add("I/O waits for the target", duration(t.Recovery.V), t.Recovery.From)
	addValue(s, "mirrors wait for a target", t.Mirror)
	if t.NoPings() {
		s.add("pings", "off", t.noPings().From)
		return
	}
	addValue(s, "ping interval", t.PingInterval)
	addValue(s, "ping time-out", t.PingTimeout)
}

func (n Net) addTo(s *settingList) {
	addValue(s, "interface", n.Interface)
	addValue(s, "interface with MAC", n.MAC)
	addValue(s, "address", n.Address)
	addValue(s, "gateway", n.Gateway)
	for _, v := range n.Lines() {
		if !v.V.Address.IsValid() || v.V.Address != n.Address.V || v.V.MTU != 0 || v.V.SetMAC != "" || v.V.Peer.IsValid() {
			addValue(s, "network", v)
		}
	}
	addValue(s, "host name", n.HostName)
	s.add("client identifier", n.ClientID.V, n.ClientID.From)
	addValue(s, "boot interface", n.BootDevice)
	addAll(s, "interface's name", n.Names)
	if n.KeepNames.V {
		s.add("interfaces' names", "the kernel's", n.KeepNames.From)
	}
	addValue(s, "MTU", n.BootMTU)
	addAll(s, "route", n.Routes)
	addAll(s, "VLAN", n.VLANs)
	for _, v := range n.Groups {
		s.add(v.V.Kind, v.V, v.From)
	}
	addValue(s, "name servers of the network", n.PeerDNS)
	addAll(s, "time limit of the network", n.Timeouts)
}

func (t Target) addTo(s *settingList) {
	s.name("target", redactName(t.Name.V), t.Name.From)
	addAll(s, "portal", t.Portals)
	addValue(s, "portal group", t.Group)
	addValue(s, "lun", t.LUN)
	s.name("user", showUser(t.CHAP.User.V), t.CHAP.User.From)
	addValue(s, "secret", t.CHAP.Secret)
	s.name("target's user", showUser(t.CHAP.TargetUser.V), t.CHAP.TargetUser.From)
	addValue(s, "target's secret", t.CHAP.TargetSecret)
}

func (r Root) addTo(s *settingList) {
	addValue(s, "root", r.Device)
	if d := r.Device.V; r.Device.Given() && d.By == ByOnlyMap {
		s.add("root's multipath map", "the only one: the name "+d.Text+" is assigned in the root", r.Device.From)
	}
	addAll(s, "root fallback", r.Fallbacks)
	addValue(s, "root on any disk", r.AnyDisk)
	r.addVolumes(s)
	if r.MD.Off.V {
		s.add("md arrays", "not started", r.MD.Off.From)
	}
	addAll(s, "md array", r.MD.UUIDs)
	for _, o := range r.MD.Other {
		s.add(o.What, o.Value, o.From)
	}
	s.add("wait for root", duration(r.Wait.V), r.Wait.From)
	addValue(s, "delay before root", r.Delay)
	addValue(s, "root file system", r.FSType)
	s.add("root mount options", r.Flags.V, r.Flags.From)
	s.add("root read-write", r.ReadWrite.V, orDefault(r.ReadWrite.From))
}

func (p Policy) addTo(s *settingList) {
	addValue(s, "time limit", p.Timeout)
	addValue(s, "address is kept", p.KeepAddress)
	s.add("shell on failure", cmp.Or(p.Shell.V, "built-in"), p.Shell.From)
	addValue(s, "password of the shell", p.Password)
	addValue(s, "a shutdown waits for root", p.ShutdownTimeout)
	s.add("in an emergency", p.Emergency.Or(Reboot), orDefault(p.Emergency.From))
	addAll(s, "break before", p.Break)
}

func duration(d time.Duration) string {
	if d == Forever {
		return "without limit"
	}
	return d.String()
}

func orDefault(from string) string {
	if from == "" {
		return "default"
	}
	return from
}

// String returns the name and the MAC of its NIC.
func (n NICName) String() string { return n.Name + " for " + n.MAC }

// String writes the route as ip(8) does.
func (r NetRoute) String() string {
	out := r.To.String()
	if r.Via.IsValid() {
		out += " via " + r.Via.String()
	}
	if r.Device != "" {
		out += " dev " + r.Device
	}
	return out
}

// String describes the VLAN.
func (v VLAN) String() string { return fmt.Sprintf("%s, number %d on %s", v.Name, v.ID, v.Parent) }

// String describes the device and its members.
func (g Group) String() string {
	out := g.Name + " of " + strings.Join(g.Members, ",")
	if g.Options != "" {
		out += ", " + g.Options
	}
	if g.MTU != 0 {
		out += fmt.Sprintf(", MTU %d", g.MTU)
	}
	return out
}

// String returns the name and the limit.
func (t Timeout) String() string { return t.Name + " " + t.Limit.String() }
