package verb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/modload"
)

func lsmodVerb() Verb {
	return Verb{Name: "lsmod", Help: "list the modules that are loaded", Group: System, Run: func(_ context.Context, c *Call) error {
		b, err := os.ReadFile("/proc/modules")
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without modules
			return err
		}
		if err := c.Printf("%-24s %10s  %s\n", "module", "bytes", "used by"); err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 4 {
				continue
			}
			if err := c.Printf("%-24s %10s  %s %s\n", f[0], f[1], f[2], strings.Trim(f[3], ",-")); err != nil {
				return err
			}
		}
		return nil
	}}
}

func modprobeVerb() Verb {
	return Verb{
		Name: "modprobe", Args: "MODULE|ALIAS [NAME=VALUE...]", Help: "load a module and all that it needs", Group: System,
		Complete: imageModules,
		Run: func(_ context.Context, c *Call) error {
			if len(c.Args) == 0 {
				return usage("needs a module")
			}
			return modload.Modprobe(c.Args)
		},
	}
}

// imageModules names the modules of the running kernel in the image.
func imageModules() []string {
	release, err := modload.Release()
	if err != nil {
		return nil
	}
	dir, err := modload.Tree("/", release)
	if err != nil {
		return nil
	}
	b, err := os.ReadFile(dir + "/modules.dep")
	if err != nil {
		return nil
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		path, _, _ := strings.Cut(line, ":")
		name, _, _ := strings.Cut(path[strings.LastIndexByte(path, '/')+1:], ".ko")
		out = append(out, name)
	}
	return out
}

func insmodVerb() Verb {
	return Verb{Name: "insmod", Args: "FILE [NAME=VALUE...]", Help: "load one module file, and nothing else", Group: System, Run: func(_ context.Context, c *Call) error {
		if len(c.Args) == 0 {
			return usage("needs a file")
		}
		f, err := os.Open(c.Path(c.Args[0]))
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		flags := 0
		if !strings.HasSuffix(c.Args[0], ".ko") {
			flags = unix.MODULE_INIT_COMPRESSED_FILE
		}
		if err := unix.FinitModule(int(f.Fd()), strings.Join(c.Args[1:], " "), flags); err != nil {
			return fmt.Errorf("%s: %w: the kernel's log may say why: dmesg | tail", c.Args[0], err)
		}
		return nil
	}}
}

func rmmodVerb() Verb {
	return Verb{Name: "rmmod", Args: "MODULE...", Help: "remove modules", Group: System, Run: func(ctx context.Context, c *Call) error {
		return each(ctx, c.Args, func(name string) error {
			if err := unix.DeleteModule(strings.ReplaceAll(name, "-", "_"), unix.O_NONBLOCK); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}}
}
