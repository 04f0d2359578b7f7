//go:build linux

package modload

import (
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Params collects the parameters that a kernel command line has for modules, MODULE.PARAM=VALUE, for Options.Params.
// A key in front of the dot that is no module's, such as rd, does no harm: nobody asks for it.
func Params(line cmdline.Line) map[string]string {
	out := map[string]string{}
	for _, p := range line.Params {
		module, param, ok := strings.Cut(p.Key, ".")
		if !ok || module == "" || param == "" {
			continue
		}
		// The module's own parser splits at blanks and knows the same quotes (kernel/params.c, parse_args).
		word := cmdline.Param{Key: param, Value: p.Value, HasValue: p.HasValue}.String()
		module = normalise(module)
		out[module] = joinParams(out[module], word)
	}
	return out
}

// joinParams puts parameters behind others.
func joinParams(a, b string) string { return strings.TrimSpace(a + " " + b) }
