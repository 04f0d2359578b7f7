package verb

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
	"github.com/iscsiroot/iscsiroot/pkg/mounts"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

func mountVerb() Verb {
	return Verb{
		Name: "mount", Args: "[-t TYPE] [-o OPTIONS] [DEVICE DIR]", Help: "mount a file system, or list what is mounted", Group: System,
		More: "without -t the superblock gives the type; -r, -o ro: read-only; -B, -o bind: a directory, or a file, again elsewhere\n-o remount,rw DIR changes what is mounted there\nDIR is made if it is not there",
		Run: func(ctx context.Context, c *Call) error {
			o, args, err := c.options("t:o:rwBnv")
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return c.showMounts()
			}
			flags, data := mountFlags(o['o'])
			if o.has('r') {
				flags |= unix.MS_RDONLY
			}
			if o.has('B') {
				flags |= unix.MS_BIND
			}
			if len(args) == 1 && flags&unix.MS_REMOUNT != 0 {
				args = []string{"none", args[0]}
			}
			if len(args) != 2 {
				return usage("needs a device and a directory")
			}
			return c.mount(ctx, args[0], c.Path(args[1]), o['t'], flags, data)
		},
	}
}

func (c *Call) mount(ctx context.Context, device, dir, fstype string, flags uintptr, data string) error {
	probed := flags&(unix.MS_BIND|unix.MS_REMOUNT) == 0 && fstype == ""
	if probed {
		fsys, err := blockdev.ProbeDevice(ctx, c.Path(device))
		if err != nil {
			return fmt.Errorf("%w: name it with -t TYPE", err)
		}
		fstype = fsys.Type
	}
	source := device // or a word, such as none
	if strings.Contains(device, "/") || probed || flags&unix.MS_BIND != 0 {
		source = c.Path(device)
	}
	if _, err := os.Stat(dir); err != nil && flags&unix.MS_REMOUNT == 0 {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(source, dir, fstype, flags, data); err != nil {
		return fmt.Errorf("%s on %s as %s: %w", device, dir, fstype, err)
	}
	return nil
}

func (c *Call) showMounts() error {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for m := range mounts.Table(string(b)) {
		if err := c.Printf("%s on %s type %s (%s)\n", m.Source, m.Dir, m.Type, m.Options); err != nil {
			return err
		}
	}
	return nil
}

// mountFlags takes the options that are flags of mount(2) out of a list; the rest is for the file
// system.
func mountFlags(list string) (flags uintptr, data string) {
	changes := map[string]uintptr{
		"remount": unix.MS_REMOUNT, "bind": unix.MS_BIND, "rbind": unix.MS_BIND | unix.MS_REC, "move": unix.MS_MOVE,
	}
	var rest []string
	for option := range strings.SplitSeq(list, ",") {
		if flag, ok := changes[option]; ok {
			flags |= flag
		} else {
			rest = append(rest, option)
		}
	}
	return switchroot.Options(strings.Join(rest, ","), flags)
}

func umountVerb() Verb {
	return Verb{Name: "umount", Args: "[-l] DIR...", Help: "unmount; -l: even if it is in use, later", Group: System, Run: func(ctx context.Context, c *Call) error {
		o, args, err := c.options("lfR")
		if err != nil {
			return err
		}
		flags := 0
		if o.has('l') {
			flags |= unix.MNT_DETACH
		}
		if o.has('f') {
			flags |= unix.MNT_FORCE
		}
		if len(args) == 0 {
			return usage("needs a directory")
		}
		return each(ctx, args, func(dir string) error {
			if err := unix.Unmount(c.Path(dir), flags); err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
			return nil
		})
	}}
}

func blkidVerb() Verb {
	return Verb{Name: "blkid", Args: "[DISK...]", Help: "what the disks, partitions, arrays and volumes hold", Group: System, Run: func(ctx context.Context, c *Call) error {
		disks := c.Args
		if len(disks) == 0 {
			var err error
			if disks, err = blockdev.Disks("/sys"); err != nil {
				return err
			}
			arrays, _ := array.Paths{Sys: "/sys"}.List() // none
			disks = append(disks, arrays...)
			for _, d := range blockdev.Maps("/sys") {
				disks = append(disks, d.Name)
			}
		}
		return each(ctx, disks, func(disk string) error {
			devices, err := onDisk("/sys", strings.TrimPrefix(disk, "/dev/"))
			if err != nil {
				return err
			}
			_ = blockdev.Inspect(ctx, "/sys", "/dev", devices) // without a table the partitions are shown too
			for _, d := range devices {
				if err := c.Printf("%s\n", d.Describe()); err != nil {
					return err
				}
			}
			return nil
		})
	}}
}

// onDisk lists a disk and its partitions.
func onDisk(sys, name string) ([]*blockdev.Device, error) {
	disk, err := blockdev.Read(sys, name)
	if err != nil {
		disk = &blockdev.Device{Name: name} // the list of its partitions fails too
	}
	parts, err := blockdev.Partitions(sys, disk)
	return append([]*blockdev.Device{disk}, parts...), err
}
