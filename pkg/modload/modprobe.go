//go:build linux

package modload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// Modprobe answers the kernel's request_module: it loads a module or alias for the running kernel. args are those
// after argv[0]; the kernel gives "-q -- NAME" (kernel/module/kmod.c, call_modprobe), and "NAME PARAM=VALUE..." works
// too. Parameters that the kernel command line has for the module come before those in args. A module that the tree
// lacks is a *kmod.NotFoundError: the kernel asks for many that nobody has, so under -q the caller should say nothing
// and exit with status 1.
func Modprobe(args []string) error {
	req, err := parseModprobe(args)
	if err != nil {
		return err
	}
	release, err := Release()
	if err != nil {
		return err
	}
	dir, err := Tree("/", release)
	if err != nil {
		return err
	}
	idx, err := kmod.Read(os.DirFS(dir))
	if err != nil {
		return err
	}
	return req.loadWith(New(idx, dir, Options{Params: bootParams()}))
}

// bootParams returns the parameters of modules on the kernel command line; none if /proc is not mounted yet.
func bootParams() map[string]string {
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil
	}
	return Params(cmdline.Parse(string(text)))
}

// request is what a command line of modprobe asks for.
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
		all[mods[0].Name] = strings.TrimSpace(all[mods[0].Name] + " " + r.params)
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
