package dm

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// Option changes what an operation does; each names the operations that know it.
type Option uint32

// The kernel's flags.
const (
	ReadOnly   Option = unix.DM_READONLY_FLAG    // Load, Activate: its devices are opened for reading alone
	NoFlush    Option = unix.DM_NOFLUSH_FLAG     // Suspend, Resume: I/O that a target has queued stays queued
	SkipLockFS Option = unix.DM_SKIP_LOCKFS_FLAG // Suspend, Resume: the file system on it is not frozen first
	Deferred   Option = unix.DM_DEFERRED_REMOVE  // Remove: when the last user closes it, if it is in use
)

// Udev are flags for the udev rules of device-mapper, which a uevent carries as DM_COOKIE
// (libdm/libdevmapper.h: DM_UDEV_...; udev/10-dm.rules). No semaphore belongs to the cookie, so no
// process has to acknowledge the event.
type Udev uint16

// The flags.
const (
	NoDMRules        Udev = 0x01 // no links in /dev/mapper
	NoSubsystemRules Udev = 0x02 // none of LVM and multipath
	NoDiskRules      Udev = 0x04 // no links in /dev/disk
	NoOtherRules     Udev = 0x08 // SYSTEMD_READY=0
	LowPriority      Udev = 0x10 // links of another device with the same name come first

	// Hidden is for what others stand on, as the legs of a raid: what is on it is not to be
	// mounted. LVM sets the same (lib/activate/dev_manager.c: _get_udev_flags).
	Hidden = NoSubsystemRules | NoDiskRules | NoOtherRules

	// primarySource marks events of those who make devices: without it the rules take an event
	// for one that a program caused by closing the device.
	primarySource Udev = 0x40
)

// cookie has the flags in the upper half (libdm/libdevmapper.h: DM_UDEV_FLAGS_SHIFT).
func (u Udev) cookie() uint32 { return uint32(u|primarySource) << 16 }

// device runs a command on a device by its name.
func (c *Control) device(op string, command uint, h *header, data []byte) (*header, []byte, error) {
	if h.name == "" {
		return nil, nil, fmt.Errorf("%s dm device: no name: %w", op, unix.EINVAL)
	}
	err := checkName(h.name, unix.DM_NAME_LEN)
	var answer *header
	var out []byte
	if err == nil {
		answer, out, err = c.call(command, h, data)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s dm device %s: %w", op, h.name, err)
	}
	return answer, out, nil
}

// Create makes a device without a table. Name and UUID are as [Mangle] returns them, at most 127
// and 128 bytes; the UUID may be empty, and cannot be changed later. unix.EEXIST: another device
// has the name or the UUID.
func (c *Control) Create(name, uuid string) (Info, error) {
	if err := checkName(uuid, unix.DM_UUID_LEN); err != nil {
		return Info{}, fmt.Errorf("create dm device %s: uuid: %w", name, err)
	}
	h, _, err := c.device("create", unix.DM_DEV_CREATE, &header{name: name, uuid: uuid}, nil)
	if errors.Is(err, unix.EBUSY) { // drivers/md/dm-ioctl.c: dm_hash_insert
		err = fmt.Errorf("create dm device %s: its name or uuid %q is in use: %w", name, uuid, unix.EEXIST)
	}
	return h.info(), err
}

// Load gives a device a table, which the next Resume makes the one in use. The kernel opens all its
// devices, exclusively for dm devices. unix.EBUSY: one of them is in use. unix.ENXIO: one of them,
// or the dm device, does not exist. Why it refuses a table is in its log alone, behind
// "device-mapper: table:".
func (c *Control) Load(name string, t table.Table, o Option) error {
	if err := t.Validate(); err != nil {
		return fmt.Errorf("load dm device %s: %w", name, err)
	}
	h := &header{name: name, flags: uint32(o & ReadOnly), targets: uint32(len(t))}
	_, _, err := c.device("load", unix.DM_TABLE_LOAD, h, marshalTable(t))
	return err
}

// Resume makes the loaded table the one in use, if there is one, and lets I/O go on. It suspends
// the device before, as o tells, if it is not suspended. After an error the device is suspended,
// and has the table that it had: another Resume goes on with that one.
func (c *Control) Resume(name string, u Udev, o Option) (Info, error) {
	h := &header{name: name, flags: uint32(o & (NoFlush | SkipLockFS)), event: u.cookie()}
	answer, _, err := c.device("resume", unix.DM_DEV_SUSPEND, h, nil)
	return answer.info(), err
}

// Suspend waits for the I/O under way and holds back what comes. A process that suspends what its
// own program is read from has to be in memory as a whole.
func (c *Control) Suspend(name string, o Option) error {
	_, _, err := c.device("suspend", unix.DM_DEV_SUSPEND, &header{name: name, flags: unix.DM_SUSPEND_FLAG | uint32(o&(NoFlush|SkipLockFS))}, nil)
	return err
}

// Remove removes a device. unix.EBUSY: it is in use. unix.ENXIO: it does not exist.
func (c *Control) Remove(name string, o Option) error {
	h := &header{name: name, flags: uint32(o & Deferred), event: Udev(0).cookie()}
	_, _, err := c.device("remove", unix.DM_DEV_REMOVE, h, nil)
	return err
}

// Activate makes a device with a table, all or nothing.
func (c *Control) Activate(name, uuid string, t table.Table, u Udev, o Option) (Info, error) {
	if err := t.Validate(); err != nil {
		return Info{}, fmt.Errorf("activate dm device %s: %w", name, err)
	}
	if _, err := c.Create(name, uuid); err != nil {
		return Info{}, err
	}
	info, err := Info{}, c.Load(name, t, o)
	if err == nil {
		info, err = c.Resume(name, u, SkipLockFS) // no file system can be on it yet
	}
	if err != nil {
		return Info{}, errors.Join(err, c.Remove(name, 0))
	}
	return info, nil
}
