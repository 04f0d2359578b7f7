package bootspec

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Said is one value of a plan, for people.
type Said struct {
	What  string // "target", "gateway"
	Value string // no secret
	From  string // who gave it, "default" if nobody did
}

// String tells it in a line.
func (s Said) String() string { return fmt.Sprintf("%s %s (%s)", s.What, s.Value, s.From) }

// sayer collects what is given.
type sayer []Said

func (s *sayer) add(what string, v any, from string) {
	if from != "" {
		*s = append(*s, Said{what, Redact(fmt.Sprint(v)), from})
	}
}

// name adds an iSCSI name, or a user that may be one.
func (s *sayer) name(what, name, from string) {
	if from != "" {
		*s = append(*s, Said{what, name, from})
	}
}

func say[T any](s *sayer, what string, v Value[T]) { s.add(what, v.V, v.From) }

func sayAll[T any](s *sayer, what string, list []Value[T]) {
	for _, v := range list {
		say(s, what, v)
	}
}

// Explain returns the plan in words, a line for each value, with its source.
func (p Plan) Explain() []string {
	var out []string
	for _, s := range p.Say() {
		out = append(out, s.String())
	}
	return out
}

// Say returns the values of the plan that were given, and the defaults that matter.
func (p Plan) Say() []Said {
	s := &sayer{}
	p.Net.say(s)
	s.name("initiator", redactName(p.Initiator.V), p.Initiator.From)
	sayAll(s, "name server", p.Net.Nameservers)
	say(s, "firmware's targets", p.Firmware)
	say(s, "target named by DHCP", p.ByDHCP)
	for _, t := range p.Targets {
		t.say(s)
	}
	say(s, "CHAP hashes", p.Login.Algorithms)
	say(s, "short CHAP secrets are refused", p.Login.StrictCHAP)
	say(s, "header digest", p.Login.HeaderDigest)
	say(s, "data digest", p.Login.DataDigest)
	p.Login.Timers.say(s)
	p.Root.say(s)
	s.add("init", p.Init.V, p.Init.From)
	p.Policy.say(s)
	say(s, "ignored parameters", p.Ignore)
	return *s
}

func (t Timers) say(s *sayer) {
	s.add("I/O waits for the target", duration(t.Recovery.V), t.Recovery.From)
	if t.NoPings() {
		s.add("pings", "off", t.noPings().From)
		return
	}
	say(s, "ping interval", t.PingInterval)
	say(s, "ping time-out", t.PingTimeout)
}

func (n Net) say(s *sayer) {
	say(s, "interface", n.Interface)
	say(s, "interface with MAC", n.MAC)
	say(s, "address", n.Address)
	say(s, "gateway", n.Gateway)
	for _, v := range n.Lines() {
		if !v.V.Address.IsValid() || v.V.Address != n.Address.V || v.V.MTU != 0 || v.V.SetMAC != "" || v.V.Peer.IsValid() {
			say(s, "network", v)
		}
	}
	say(s, "host name", n.HostName)
	s.add("client identifier", n.ClientID.V, n.ClientID.From)
	say(s, "boot interface", n.BootDevice)
	sayAll(s, "interface's name", n.Names)
	if n.KeepNames.V {
		s.add("interfaces' names", "the kernel's", n.KeepNames.From)
	}
	say(s, "MTU", n.BootMTU)
	sayAll(s, "route", n.Routes)
	sayAll(s, "VLAN", n.VLANs)
	for _, v := range n.Groups {
		s.add(v.V.Kind, v.V, v.From)
	}
	say(s, "name servers of the network", n.PeerDNS)
	sayAll(s, "time limit of the network", n.Timeouts)
}

func (t Target) say(s *sayer) {
	s.name("target", redactName(t.Name.V), t.Name.From)
	sayAll(s, "portal", t.Portals)
	say(s, "portal group", t.Group)
	say(s, "lun", t.LUN)
	s.name("user", showUser(t.CHAP.User.V), t.CHAP.User.From)
	say(s, "secret", t.CHAP.Secret)
	s.name("target's user", showUser(t.CHAP.TargetUser.V), t.CHAP.TargetUser.From)
	say(s, "target's secret", t.CHAP.TargetSecret)
}

func (r Root) say(s *sayer) {
	say(s, "root", r.Device)
	sayAll(s, "root fallback", r.Fallbacks)
	say(s, "root on any disk", r.AnyDisk)
	s.add("wait for root", duration(r.Wait.V), r.Wait.From)
	say(s, "delay before root", r.Delay)
	say(s, "root file system", r.FSType)
	s.add("root mount options", r.Flags.V, r.Flags.From)
	s.add("root read-write", r.ReadWrite.V, orDefault(r.ReadWrite.From))
}

func (p Policy) say(s *sayer) {
	say(s, "time limit", p.Timeout)
	say(s, "address is kept", p.KeepAddress)
	s.add("shell on failure", cmp.Or(p.Shell.V, "built-in"), p.Shell.From)
	say(s, "password of the shell", p.Password)
	say(s, "a shutdown waits for root", p.ShutdownTimeout)
	s.add("in an emergency", p.Emergency.Or(Reboot), orDefault(p.Emergency.From))
	sayAll(s, "break before", p.Break)
}

func duration(d time.Duration) string {
	if d == Forever {
		return "for ever"
	}
	return d.String()
}

func orDefault(from string) string {
	if from == "" {
		return "default"
	}
	return from
}

// String tells the name and whose it is.
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

// String tells the VLAN in words.
func (v VLAN) String() string { return fmt.Sprintf("%s, number %d on %s", v.Name, v.ID, v.Parent) }

// String tells the device and what it is made of.
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

// String tells the limit.
func (t Timeout) String() string { return t.Name + " " + t.Limit.String() }
