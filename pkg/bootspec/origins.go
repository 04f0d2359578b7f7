package bootspec

import (
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// PolicyFile is the image's policy: a line of parameters that take precedence over those of the
// kernel command line, which can be changed at the console.
const PolicyFile = "/etc/iscsiroot/policy"

// Origins of parameters other than the kernel command line.
const (
	FromPolicy = "the image's policy"
	FromShell  = "the shell"
)

// Hash is a password's hash, which is never printed.
type Hash string

// String implements fmt.Stringer.
func (Hash) String() string { return "[redacted]" }

// GoString implements fmt.GoStringer.
func (Hash) GoString() string { return "[redacted]" }

// Add adds parameters of another origin to a command line. The last ones take precedence.
func Add(line, more cmdline.Line, origin string) cmdline.Line {
	line.Params = slices.Clip(line.Params)
	for _, p := range more.Params {
		p.Origin = origin
		line.Params = append(line.Params, p)
	}
	return line
}

// password reads rd.shell.password= from the policy only: the command line can be changed at the
// console.
func (ps *parser) password(p cmdline.Param) error {
	if p.Origin != FromPolicy {
		ps.warnf("rd.shell.password= is valid only in the image's policy, %s: it is ignored", PolicyFile)
		return nil
	}
	ps.plan.Policy.Password = Value[Hash]{Hash(p.Value), source(p)}
	return nil
}
