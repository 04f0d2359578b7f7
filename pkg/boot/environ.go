package boot

import (
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// initArgs returns the real init's arguments: those that the kernel gave this program, without the
// parameters of iscsiroot. The words behind "--" come last and always belong to init.
func initArgs(args []string, line cmdline.Line) []string {
	rest := min(len(line.InitArgs), len(args))
	words, after := args[:len(args)-rest], args[len(args)-rest:]
	var out []string
	known := bootspec.NewVocabulary()
	for _, w := range words {
		if key, _, _ := strings.Cut(w, "="); !known.ForInitramfs(key) {
			out = append(out, w)
		}
	}
	return append(out, after...)
}

// initEnv returns the real init's environment: the kernel puts every unknown key=value word there,
// so the parameters of iscsiroot, some of which are secret, are removed.
func initEnv(env []string) []string {
	var out []string
	known := bootspec.NewVocabulary()
	for _, e := range env {
		if key, _, _ := strings.Cut(e, "="); !known.ForInitramfs(key) {
			out = append(out, e)
		}
	}
	return out
}
