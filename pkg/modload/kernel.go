//go:build linux

package modload

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/u-root/u-root/pkg/kmodule"
	"golang.org/x/sys/unix"
)

// kernel is what a Loader asks of the running kernel; tests put their own functions in.
type kernel struct {
	// finit is finit_module(2).
	finit func(fd int, params string, flags int) error
	// unpack loads a compressed file through a copy in memory.
	unpack func(f *os.File, params string) error
	// sys is where sysfs is mounted.
	sys string
}

// running returns the kernel this process runs on.
func running() kernel {
	return kernel{
		finit: unix.FinitModule,
		unpack: func(f *os.File, params string) error {
			return kmodule.FileInit(f, params, 0)
		},
		sys: "/sys",
	}
}

// live tells whether a module is loaded and has initialised. Without sysfs the answer is no, and the kernel's EEXIST
// says it later.
func (k kernel) live(name string) bool {
	state, err := os.ReadFile(filepath.Join(k.sys, "module", name, "initstate"))
	return err == nil && string(state) == "live\n"
}

// load loads a module file. A compressed one goes to the kernel as it is first (Linux 5.17, CONFIG_MODULE_DECOMPRESS).
func (k kernel) load(f *os.File, params string) error {
	err := k.loadAsIs(f, params)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// loadAsIs is load, with EEXIST for a module that is there.
func (k kernel) loadAsIs(f *os.File, params string) error {
	if filepath.Ext(f.Name()) == ".ko" {
		return k.finit(int(f.Fd()), params, 0)
	}
	err := k.finit(int(f.Fd()), params, unix.MODULE_INIT_COMPRESSED_FILE)
	// EOPNOTSUPP: the kernel unpacks nothing; EINVAL: it does not know the flag, or was built for another compression
	// (kernel/module/decompress.c); ENOSYS: it has no finit_module.
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return k.unpack(f, params)
	}
	return err
}
