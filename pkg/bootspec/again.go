package bootspec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// faults are the errors of a line, with the value that each is about: another word that gives the
// value makes the error harmless.
type faults []fault

type fault struct {
	key   string // of the parameter's row
	value string // as valueOf has it
	err   error
}

// valueOf names the value that a parameter gives and a later one replaces, "" where each counts
// beside the others.
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

func (f *faults) add(key, value string, err error) { *f = append(*f, fault{key, value, err}) }

// drop takes out the faults for which why has a reason, and warns of them. Those of no parameter
// stay.
func (ps *parser) drop(why func(fault, *ParamError) string) {
	ps.faults = slices.DeleteFunc(ps.faults, func(f fault) bool {
		var bad *ParamError
		if !errors.As(f.err, &bad) {
			return false
		}
		reason := why(f, bad)
		if reason != "" {
			ps.warnf("%s is ignored: %s: %s", clip(bad.Param.String()), bad.Cause, reason)
		}
		return reason != ""
	})
}

// mend drops the errors about a value that has been given.
func (ps *parser) mend(value string) {
	if len(ps.faults) == 0 {
		return
	}
	ps.drop(func(f fault, _ *ParamError) string {
		if value == "" || f.value != value {
			return ""
		}
		return "it is given again, and the last one is used"
	})
}

func (f faults) errors() []error {
	var out []error
	for _, one := range f {
		out = append(out, one.err)
	}
	return out
}
