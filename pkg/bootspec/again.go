package bootspec

import (
	"errors"
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// faults are the errors of a line, with the value that each is about: a later
// word that gives the value makes the error harmless.
type faults []fault

type fault struct {
	value string // as valueOf has it
	err   error
}

// valueOf names the value that a parameter gives and a later one replaces, ""
// where each counts beside the others.
func valueOf(row Parameter, target int, p cmdline.Param) string {
	switch row.Key {
	case "ip", "nameserver", "ifname", "rd.route", "vlan", "bond", "bridge", "team", "netroot", "iscsiroot", "rootfallback", "rd.break":
		return ""
	case "root":
		if strings.HasPrefix(p.Value, "iscsi:") {
			return "" // a target, beside which another root= names the device
		}
	case "rd.iscsi.param":
		name, _, _ := strings.Cut(p.Value, "=")
		return row.Key + " " + name
	}
	return fmt.Sprintf("%s.%d", row.Key, target)
}

func (f *faults) add(value string, err error) { *f = append(*f, fault{value, err}) }

// mend drops the errors about a value that has been given, and warns of them.
func (f *faults) mend(value string, ps *parser) {
	var kept faults
	for _, one := range *f {
		var bad *ParamError
		if value == "" || one.value != value || !errors.As(one.err, &bad) {
			kept = append(kept, one)
			continue
		}
		ps.warnf("%s is passed over: %s: it is given again, and the last one counts", clip(bad.Param.String()), bad.Cause)
	}
	*f = kept
}

func (f faults) errors() []error {
	var out []error
	for _, one := range f {
		out = append(out, one.err)
	}
	return out
}
