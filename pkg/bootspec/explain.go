package bootspec

import (
	"cmp"
	"fmt"
	"time"
)

// Explain returns the plan in words, a line for each value, with its source.
func (p Plan) Explain() []string {
	var out []string
	add := func(what string, given bool, v any, from string) {
		if given {
			out = append(out, fmt.Sprintf("%s %v (%s)", what, v, from))
		}
	}
	n, r := p.Net, p.Root
	add("interface", n.Interface.Given(), n.Interface.V, n.Interface.From)
	add("address", n.Address.Given(), n.Address.V, n.Address.From)
	add("gateway", n.Gateway.Given(), n.Gateway.V, n.Gateway.From)
	add("initiator", p.Initiator.Given(), p.Initiator.V, p.Initiator.From)
	for _, server := range n.Nameservers {
		add("name server", true, server.V, server.From)
	}
	for _, t := range p.Targets {
		add("target", t.Name.Given(), t.Name.V, t.Name.From)
		for _, portal := range t.Portals {
			add("portal", true, portal.V, portal.From)
		}
		add("portal group", t.Group.Given(), t.Group.V, t.Group.From)
		add("lun", t.LUN.Given(), t.LUN.V, t.LUN.From)
		add("user", t.CHAP.User.Given(), t.CHAP.User.V, t.CHAP.User.From)
		add("secret", t.CHAP.Secret.Given(), t.CHAP.Secret.V, t.CHAP.Secret.From)
		add("target's user", t.CHAP.TargetUser.Given(), t.CHAP.TargetUser.V, t.CHAP.TargetUser.From)
		add("target's secret", t.CHAP.TargetSecret.Given(), t.CHAP.TargetSecret.V, t.CHAP.TargetSecret.From)
	}
	add("CHAP hashes", p.Login.Algorithms.Given(), p.Login.Algorithms.V, p.Login.Algorithms.From)
	add("header digest", p.Login.HeaderDigest.Given(), p.Login.HeaderDigest.V, p.Login.HeaderDigest.From)
	add("data digest", p.Login.DataDigest.Given(), p.Login.DataDigest.V, p.Login.DataDigest.From)
	add("root", r.Device.Given(), r.Device.V, r.Device.From)
	for _, f := range r.Fallbacks {
		add("root fallback", true, f.V, f.From)
	}
	add("root on any disk", r.AnyDisk.Given(), r.AnyDisk.V, r.AnyDisk.From)
	add("wait for root", r.Wait.Given(), duration(r.Wait.V), r.Wait.From)
	add("delay before root", r.Delay.Given(), r.Delay.V, r.Delay.From)
	add("root file system", r.FSType.Given(), r.FSType.V, r.FSType.From)
	add("root mount options", r.Flags.Given(), r.Flags.V, r.Flags.From)
	add("root read-write", true, r.ReadWrite.V, orDefault(r.ReadWrite.From))
	add("init", p.Init.Given(), p.Init.V, p.Init.From)
	add("time limit", p.Policy.Timeout.Given(), p.Policy.Timeout.V, p.Policy.Timeout.From)
	add("shell on failure", p.Policy.Shell.Given(), cmp.Or(p.Policy.Shell.V, "built-in"), p.Policy.Shell.From)
	add("password of the shell", p.Policy.Password.Given(), p.Policy.Password.V, p.Policy.Password.From)
	add("in an emergency", true, p.Policy.Emergency.Or(Reboot), orDefault(p.Policy.Emergency.From))
	for _, b := range p.Policy.Break {
		add("break before", true, b.V, b.From)
	}
	return out
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
