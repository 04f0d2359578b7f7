package dm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// Control is /dev/mapper/control. Its methods may be called from several goroutines.
type Control struct {
	close func() error
	ioctl func(command uint, b []byte) error
}

// The control's node (include/linux/miscdevice.h: MISC_MAJOR, MAPPER_CTRL_MINOR), below /dev.
const (
	controlNode  = "mapper/control"
	controlMajor = 10
	controlMinor = 236
)

// Open opens the control. It calls load first, which loads the module dm_mod if it is not there:
// the kernel has a node of the control before the module, and an open of that would make the kernel
// ask for the module itself. Load is nil if the module is known to be there.
func Open(load func() error) (*Control, error) { return open("/dev", load) }

func open(dev string, load func() error) (*Control, error) {
	var loadErr error
	if load != nil {
		loadErr = load() // an error counts if the open fails: the driver may be built in
	}
	path := filepath.Join(dev, controlNode)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		if err = makeNode(path); err == nil {
			file, err = os.OpenFile(path, os.O_RDWR, 0)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open device-mapper: %w", errors.Join(err, loadErr))
	}
	return &Control{close: file.Close, ioctl: func(command uint, b []byte) error { return ioctl(file, command, b) }}, nil
}

// makeNode makes what devtmpfs makes otherwise.
func makeNode(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(controlMajor, controlMinor))); err != nil {
		return &os.PathError{Op: "mknod", Path: path, Err: err}
	}
	return nil
}

// Close closes the control. Devices stay.
func (c *Control) Close() error { return c.close() }

// ioctl may be interrupted while it waits for I/O (drivers/md/dm.c: dm_wait_for_completion);
// nothing has been done then. It allocates nothing: see [Control.Exchange].
func ioctl(file *os.File, command uint, b []byte) error {
	errno := unix.EINTR
	for errno == unix.EINTR {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, file.Fd(), uintptr(command), uintptr(unsafe.Pointer(&b[0])))
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// The buffer's size at first, as libdevmapper has it, and the limit to which it grows.
const (
	firstBuffer = 16 << 10
	maxBuffer   = 16 << 20
)

// call runs a command. It returns what the kernel answered.
func (c *Control) call(command uint, h *header, data []byte) (*header, []byte, error) {
	for size := firstBuffer; ; size *= 2 {
		b := h.marshal(data, size)
		if err := c.ioctl(command, b); err != nil {
			return nil, nil, err
		}
		answer, out, err := unmarshal(b)
		if err != nil || answer.flags&unix.DM_BUFFER_FULL_FLAG == 0 {
			return answer, out, err
		}
		if size >= maxBuffer {
			return nil, nil, fmt.Errorf("more than %d bytes: %w", size, errAnswer)
		}
	}
}

// Info is the state of a device.
type Info struct {
	Name, UUID string
	Number     table.Number
	Open       int    // how often it is open: mounts, devices on it, programs
	Event      uint32 // counts the events of its targets
	Targets    uint32 // of the table in use
	ReadOnly   bool
	Suspended  bool
	Active     bool // it has a table in use
	Inactive   bool // a table is loaded that a resume would make the one in use
	Deferred   bool // it is removed when the last user closes it
}

// info returns the state in an answer; without one it is empty.
func (h *header) info() Info {
	if h == nil {
		return Info{}
	}
	has := func(flag uint32) bool { return h.flags&flag != 0 }
	return Info{
		Name: h.name, UUID: h.uuid, Number: number(h.dev), Open: int(h.open), Event: h.event, Targets: h.targets,
		ReadOnly: has(unix.DM_READONLY_FLAG), Suspended: has(unix.DM_SUSPEND_FLAG), Active: has(unix.DM_ACTIVE_PRESENT_FLAG),
		Inactive: has(unix.DM_INACTIVE_PRESENT_FLAG), Deferred: has(unix.DM_DEFERRED_REMOVE),
	}
}
