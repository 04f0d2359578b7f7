package login

import (
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// sources names the sources of a login's names that the advice calls by their parameters, "" if all
// are from parameters.
func sources(spec bootspec.Spec, i int) string {
	var out []string
	say := func(what, from string) {
		if from != "" && !bootspec.IsParameter(from) {
			out = append(out, what+" is from "+from)
		}
	}
	say("the initiator name", spec.InitiatorFrom)
	t := spec.Targets[i]
	say("the target name", t.Name.From)
	if len(t.Portals) > 0 && t.Portals[0].From != t.Name.From {
		say("the target's address", t.Portals[0].From)
	}
	return strings.Join(out, ", ")
}
