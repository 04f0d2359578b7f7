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
	n, t, r := p.Net, p.Target, p.Root
	add("interface", n.Interface.Given(), n.Interface.V, n.Interface.From)
	add("address", n.Address.Given(), n.Address.V, n.Address.From)
	add("gateway", n.Gateway.Given(), n.Gateway.V, n.Gateway.From)
	add("initiator", p.Initiator.Given(), p.Initiator.V, p.Initiator.From)
	add("target", t.Name.Given(), t.Name.V, t.Name.From)
	add("portal", t.Portal.Given(), t.Portal.V, t.Portal.From)
	add("portal group", t.Group.Given(), t.Group.V, t.Group.From)
	add("lun", t.LUN.Given(), t.LUN.V, t.LUN.From)
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
	add("shell on failure", p.Policy.Shell.Given(), cmp.Or(p.Policy.Shell.V, "of the image"), p.Policy.Shell.From)
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
