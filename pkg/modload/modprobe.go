//go:build linux

package modload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Modprobe answers the kernel's request_module: it loads a module or alias for the running kernel.
// args are those after argv[0]; the kernel gives "-q -- NAME" (kernel/module/kmod.c,
// call_modprobe), and "NAME PARAM=VALUE..." works too. Parameters that modprobe.d, the kernel
// command line and the image's files (bootspec.Gather) have for the module come before those in
// args, and their blacklists hold. What was typed at the shell of PID 1 is not known here. A module
// that the tree lacks is a *MissingError: the kernel asks for many that no tree has, so under -q
// the caller should say nothing and exit with status 1.
func Modprobe(args []string) error {
	req, err := parseModprobe(args)
	if err != nil {
		return err
	}
	release, err := Release()
	if err != nil {
		return err
	}
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		text = nil // /proc is not mounted yet
	}
	line, _ := bootspec.Gather(os.DirFS("/"), cmdline.Parse(string(text))) // PID 1 has shown the warnings
	l, _, err := Open("/", release, bootspec.ParseModules(line), nil)
	if err != nil {
		return err
	}
	return req.loadWith(l)
}

// request is a parsed command line of modprobe.
type request struct {
	name   string
	params string
}

// loadWith loads the requested module.
func (r request) loadWith(l *Loader) error {
	if mods, _ := l.idx.Resolve(r.name); len(mods) == 1 && r.params != "" {
		all := map[string]string{}
		for name, p := range l.opts.Params {
			all[name] = p
		}
		all[mods[0].Name] = joinParams(all[mods[0].Name], r.params)
		l.opts.Params = all
	}
	return l.Load(context.Background(), r.name)
}

// parseModprobe takes the options that only silence modprobe, then a name, then parameters.
func parseModprobe(args []string) (request, error) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		opt := args[0]
		args = args[1:]
		if opt == "--" {
			break
		}
		switch opt {
		case "-q", "--quiet", "-s", "--syslog", "-b", "--use-blacklist":
		default:
			return request{}, fmt.Errorf("modprobe: unknown option %q", opt)
		}
	}
	if len(args) == 0 || args[0] == "" {
		return request{}, errors.New("modprobe: no module named")
	}
	return request{name: args[0], params: strings.Join(args[1:], " ")}, nil
}
