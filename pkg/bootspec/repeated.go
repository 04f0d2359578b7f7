package bootspec

import (
	"slices"
	"strings"
)

// ignoreRepeated drops the errors of parameters that may be repeated where another one of the same
// kind can be read: a machine may boot with part of a list, and each warning shows what is missing.
func (ps *parser) ignoreRepeated() {
	ps.ignoreFaults(func(f fault, bad *ParamError) string {
		if bad.limit || f.value != "" || !ps.readable(f.key, bad.Param.Value) {
			return ""
		}
		return "another " + f.key + "= is used"
	})
}

// readable reports whether another occurrence of a repeated parameter replaces the value that
// cannot be read.
func (ps *parser) readable(key, value string) bool {
	n := &ps.plan.Net
	name, _, _ := strings.Cut(value, ":")
	used := slices.Contains(n.Named(), name) // without this device, what uses it would wait without limit
	switch key {
	case "ip":
		nic := nicOf(value)
		return slices.ContainsFunc(n.IP, func(v Value[IP]) bool { return configures(v) && (!v.V.named() || nic != "" && ps.isForNIC(v.V, nic)) })
	case "nameserver":
		return len(n.Nameservers) > 0
	case "rd.route":
		return len(n.Routes) > 0
	case "ifname":
		return len(n.Names) > 0 && !used
	case "vlan":
		return len(n.VLANs) > 0 && !used
	case "bond", "bridge":
		return slices.ContainsFunc(n.Groups, func(v Value[Group]) bool { return v.V.Kind == key }) && !used
	case "rootfallback":
		return len(ps.plan.Root.Fallbacks) > 0
	case "netroot", "iscsiroot", "root": // as in dracut each names one target
		return len(ps.netroots) > 0
	}
	return false
}

// nicOf returns the NIC that a value of ip= names, even if the rest of the value cannot be read. It
// is "" if it names none.
func nicOf(value string) string {
	t := splitTokens(value)
	at := 0
	switch {
	case len(t) >= 6:
		at = 5
	case len(t) != 2:
		return ""
	}
	nic, ok := readNIC(bare(t[at]))
	if !ok || isAddress(t[at]) {
		return ""
	}
	return nic
}

// ignoreProtocols drops the errors about roots of other protocols if a source names an iSCSI
// target: dracut ignores protocols that it has no handler for.
func (ps *parser) ignoreProtocols() {
	from := nameOf(ps.plan.Targets)
	if from == "" {
		from = ps.plan.ByDHCP.From
	}
	ps.ignoreFaults(func(_ fault, bad *ParamError) string {
		if from == "" || !bad.other {
			return ""
		}
		return from + " names the target"
	})
}
