package switchroot

import (
	"fmt"
	"os"
	"strings"

	"github.com/u-root/u-root/pkg/mount"
	"golang.org/x/sys/unix"
)

// mountFlags are the options of mount(8) that are flags of mount(2) (include/uapi/linux/mount.h);
// an option that clears a flag has it in clear.
var mountFlags = map[string]struct{ set, clear uintptr }{
	"ro":          {set: unix.MS_RDONLY},
	"rw":          {clear: unix.MS_RDONLY},
	"nosuid":      {set: unix.MS_NOSUID},
	"suid":        {clear: unix.MS_NOSUID},
	"nodev":       {set: unix.MS_NODEV},
	"dev":         {clear: unix.MS_NODEV},
	"noexec":      {set: unix.MS_NOEXEC},
	"exec":        {clear: unix.MS_NOEXEC},
	"sync":        {set: unix.MS_SYNCHRONOUS},
	"async":       {clear: unix.MS_SYNCHRONOUS},
	"dirsync":     {set: unix.MS_DIRSYNC},
	"noatime":     {set: unix.MS_NOATIME},
	"atime":       {clear: unix.MS_NOATIME},
	"nodiratime":  {set: unix.MS_NODIRATIME},
	"diratime":    {clear: unix.MS_NODIRATIME},
	"relatime":    {set: unix.MS_RELATIME},
	"strictatime": {set: unix.MS_STRICTATIME},
	"lazytime":    {set: unix.MS_LAZYTIME},
	"defaults":    {},
}

// Options splits the options of mount -o into flags of mount(2), added to or taken from those
// given, and the file system's own.
func Options(text string, flags uintptr) (uintptr, string) {
	var data []string
	for o := range strings.SplitSeq(text, ",") {
		if f, ok := mountFlags[o]; ok {
			flags = flags&^f.clear | f.set
		} else if o != "" {
			data = append(data, o)
		}
	}
	return flags, strings.Join(data, ",")
}

// MountConfig is the arguments of a mount.
type MountConfig struct {
	Device    string // "/dev/sda2"
	Dir       string // created if it does not exist
	FSType    string
	Options   string // as for mount -o
	ReadWrite bool   // Options may override it
}

// ReadOnly reports whether the mount is read-only, by ReadWrite and Options.
func (c MountConfig) ReadOnly() bool {
	flags, _ := c.flags()
	return flags&unix.MS_RDONLY != 0
}

// flags returns the flags of mount(2), and the file system's own options.
func (c MountConfig) flags() (uintptr, string) {
	flags := uintptr(unix.MS_RDONLY)
	if c.ReadWrite {
		flags = 0
	}
	return Options(c.Options, flags)
}

// Mount mounts a file system.
func Mount(c MountConfig) error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	flags, data := c.flags()
	if _, err := mount.Mount(c.Device, c.Dir, c.FSType, data, flags); err != nil {
		return fmt.Errorf("mount %s (%s): %w", c.Device, c.FSType, underlying(err))
	}
	return nil
}
