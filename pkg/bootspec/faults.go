package bootspec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// faults are the errors of a command line, each with the value that it concerns: the error is
// dropped if another word gives that value.
type faults []fault

type fault struct {
	key   string // of the parameter's row
	value string // as valueOf has it
	err   error
}

// valueOf names the value that a parameter gives and that a later parameter replaces. It is "" for
// parameters that may be repeated.
func valueOf(row Parameter, target int, p cmdline.Param) string {
	switch row.Key {
	case "ip", "nameserver", "ifname", "rd.route", "vlan", "bond", "bridge", "team", "netroot", "iscsiroot", "rootfallback", "rd.break":
		return ""
	case "root":
		if strings.HasPrefix(p.Value, "iscsi:") {
			return "" // it names a target, and another root= can name the device
		}
	case "rd.iscsi.param":
		name, _, _ := strings.Cut(p.Value, "=")
		return row.Key + " " + name
	}
	return fmt.Sprintf("%s.%d", row.Key, target)
}

func (f *faults) add(key, value string, err error) { *f = append(*f, fault{key, value, err}) }

// ignoreFaults removes the faults for which why returns a reason, and warns of them. Faults that
// are not a ParamError stay.
func (ps *parser) ignoreFaults(why func(fault, *ParamError) string) {
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

// ignoreReplaced removes the errors about a value that a later parameter has given.
func (ps *parser) ignoreReplaced(value string) {
	if len(ps.faults) == 0 {
		return
	}
	ps.ignoreFaults(func(f fault, _ *ParamError) string {
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
