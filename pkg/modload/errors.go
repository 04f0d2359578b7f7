//go:build linux

package modload

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// MissingError reports that neither the image nor the kernel has a module. errors.As finds the
// *kmod.NotFoundError in it.
type MissingError struct {
	Name    string   // module or alias, as requested
	Release string   // of the running kernel; may be empty
	Dir     string   // the module tree
	Held    []string // names of all modules in it
	File    string   // the file that the tree's index lists but that does not exist; empty if the index does not list the module
}

// fewModules is up to how many modules a message lists.
const fewModules = 8

// Error names what is missing, for which kernel, and what the image has instead.
func (e *MissingError) Error() string {
	kernel := "the running kernel"
	if e.Release != "" {
		kernel += " " + e.Release
	}
	if e.File != "" {
		return fmt.Sprintf("module %s: for %s the index names %s, which the image does not hold", e.Name, kernel, e.File)
	}
	held := fmt.Sprintf("%d modules", len(e.Held))
	if n := len(e.Held); n > 0 && n <= fewModules {
		held = "only " + strings.Join(e.Held, ", ")
	}
	if len(e.Held) == 0 {
		return fmt.Sprintf("module %s: not built into %s, and the image holds no modules for it", e.Name, kernel)
	}
	return fmt.Sprintf("module %s: not built into %s, and the image holds %s for it in %s", e.Name, kernel, held, e.Dir)
}

// alwaysIncluded are modules that every image of iscsiroot contains.
var alwaysIncluded = []string{"iscsi_tcp", "libiscsi_tcp", "libiscsi", "scsi_transport_iscsi", "scsi_mod", "scsi_common", "sd_mod"}

// virtualDevices are modules that iscsiroot build --net includes.
var virtualDevices = map[string]string{"8021q": "vlan", "bonding": "bond", "bridge": "bridge"}

// Hint names the build option that adds the module.
func (e *MissingError) Hint() string {
	command := "iscsiroot build"
	if e.Release != "" {
		command += " --kernel-version " + e.Release
	}
	fileSystem, isFS := strings.CutPrefix(e.Name, "fs-")
	switch {
	case slices.Contains(alwaysIncluded, normalise(e.Name)):
		return "build the image again with " + command + ", which always includes it"
	case virtualDevices[e.Name] != "":
		return "build the image again with " + command + " --net " + virtualDevices[e.Name]
	case isFS:
		return "build the image again with " + command + " --fs " + fileSystem
	}
	return "build the image again with " + command + " --add-drivers " + e.Name
}

// Unwrap returns a *kmod.NotFoundError.
func (e *MissingError) Unwrap() error { return &kmod.NotFoundError{Name: e.Name} }

// LoadError reports which module the kernel refused. errors.Is finds the errno.
type LoadError struct {
	Module string // normalised name
	Path   string // of the file
	Err    error
	// Without are errors of modules that this one may have needed.
	Without []error

	refused bool // Err is from finit_module(2)
}

// Error names the module, its file and the cause, and the meaning of an errno whose text is
// misleading.
func (e *LoadError) Error() string {
	msg := fmt.Sprintf("load module %s: %s: %v", e.Module, e.Path, e.Err)
	if words, ok := refusals[e.errno()]; ok {
		msg += " (" + words.cause + ")"
	}
	for _, err := range e.Without {
		msg += "; before that, " + err.Error()
	}
	return msg
}

// Hint returns what to do, if the cause is known.
func (e *LoadError) Hint() string { return refusals[e.errno()].hint }

// Unwrap returns the cause.
func (e *LoadError) Unwrap() error { return e.Err }

// errno returns the errno of finit_module(2), or 0 if it was not called.
func (e *LoadError) errno() unix.Errno {
	var errno unix.Errno
	if !e.refused || !errors.As(e.Err, &errno) {
		return 0
	}
	return errno
}

// refusals explain the errnos with which the kernel refuses a module (kernel/module/main.c,
// kernel/module/signing.c).
var refusals = map[unix.Errno]struct{ cause, hint string }{
	unix.ENOEXEC:      {"the module was built for another kernel release than the running one", "put the modules of the running kernel into the image: iscsiroot build --kernel-version"},
	unix.ENOENT:       {"it uses a symbol that the running kernel and the loaded modules do not have", "the kernel log names the symbol; the image lacks a module, or holds one of another kernel"},
	unix.EKEYREJECTED: {"its signature is missing or not by a key that the kernel trusts", "secure boot requires modules signed by the distribution"},
	unix.ENOKEY:       {"its signature is not by a key that the kernel trusts", "secure boot requires modules signed by the distribution"},
	unix.EBADMSG:      {"its signature does not fit: the file is damaged", "build the image again"},
	unix.EPERM:        {"the kernel forbids it", "look for module_blacklist= and lockdown= on the kernel command line"},
}

// ForbiddenError reports that module_blacklist= forbids a module.
type ForbiddenError struct{ Module string }

// Error names the module.
func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("module %s: forbidden by module_blacklist=", e.Module)
}
