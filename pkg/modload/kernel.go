//go:build linux

package modload

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

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
			image, err := unpack(f)
			if err != nil {
				return err
			}
			return kmodule.Init(image, params)
		},
		sys: "/sys",
	}
}

// live reports whether a module is loaded and has initialised. Without sysfs it returns false, and
// the kernel returns EEXIST later.
func (k kernel) live(name string) bool {
	state, err := os.ReadFile(filepath.Join(k.sys, "module", name, "initstate"))
	return err == nil && string(state) == "live\n"
}

// has reports whether the running kernel has a module, loaded or built in: one with parameters or a
// version shows.
func (k kernel) has(name string) bool {
	if name == "" || strings.Contains(name, "/") || name[0] == '.' {
		return false
	}
	st, err := os.Stat(filepath.Join(k.sys, "module", name))
	return err == nil && st.IsDir()
}

// load loads a module file. One that is loaded already is not an error.
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
	if !k.unpacks(f.Name()) {
		return k.unpack(f, params)
	}
	err := k.finit(int(f.Fd()), params, unix.MODULE_INIT_COMPRESSED_FILE)
	// EOPNOTSUPP and EINVAL: the file is packed in a way that the kernel's decompressor does
	// not support (kernel/module/decompress.c); ENOSYS: there is no finit_module.
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return k.unpack(f, params)
	}
	return err
}
