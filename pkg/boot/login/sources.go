package login

import (
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// sources is where the names of a login are from that advice has under the names of parameters, ""
// if they are from those.
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
