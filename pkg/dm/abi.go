package dm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// Sizes and offsets of struct dm_ioctl, in bytes.
//
//	struct dm_ioctl {
//		__u32 version[3];           //   0
//		__u32 data_size;            //  12, of the whole buffer
//		__u32 data_start;           //  16
//		__u32 target_count;         //  20
//		__s32 open_count;           //  24
//		__u32 flags;                //  28
//		__u32 event_nr;             //  32
//		__u32 padding;              //  36
//		__u64 dev;                  //  40
//		char name[DM_NAME_LEN];     //  48
//		char uuid[DM_UUID_LEN];     // 176
//		char data[7];               // 305
//	};
const (
	offSize, offStart, offTargets, offOpen = 12, 16, 20, 24
	offFlags, offEvent, offDev             = 28, 32, 40
	offName, offUUID, offData              = 48, 176, 305
	headerLen                              = unix.SizeofDmIoctl
)

// versionMajor is the interface's (DM_VERSION_MAJOR); with the lowest minor version no kernel
// refuses it.
const versionMajor = 4

// native is the byte order of the machine.
var native = binary.NativeEndian

// header is struct dm_ioctl.
type header struct {
	targets    uint32
	open       int32
	flags      uint32
	event      uint32 // in requests to suspend, resume and remove: the cookie for udev
	dev        uint64
	name, uuid string
}

// marshal returns the buffer of an ioctl, size bytes or as many as are needed, with data behind the
// header.
func (h *header) marshal(data []byte, size int) []byte {
	b := make([]byte, max(size, headerLen+len(data)))
	native.PutUint32(b, versionMajor)
	native.PutUint32(b[offSize:], uint32(len(b)))
	native.PutUint32(b[offStart:], headerLen)
	native.PutUint32(b[offTargets:], h.targets)
	native.PutUint32(b[offOpen:], uint32(h.open))
	native.PutUint32(b[offFlags:], h.flags)
	native.PutUint32(b[offEvent:], h.event)
	native.PutUint64(b[offDev:], h.dev)
	copy(b[offName:offUUID-1], h.name)
	copy(b[offUUID:offData-1], h.uuid)
	copy(b[headerLen:], data)
	return b
}

// errAnswer is an answer that the kernel does not give.
var errAnswer = errors.New("answer is not of the kernel's form")

// unmarshal reads the buffer of an ioctl; data is what the kernel put behind the header.
func unmarshal(b []byte) (h *header, data []byte, err error) {
	if len(b) < headerLen {
		return nil, nil, fmt.Errorf("%d bytes: %w", len(b), errAnswer)
	}
	size, start := native.Uint32(b[offSize:]), native.Uint32(b[offStart:])
	if native.Uint32(b) != versionMajor || uint64(size) > uint64(len(b)) {
		return nil, nil, fmt.Errorf("version %d, size %d: %w", native.Uint32(b), size, errAnswer)
	}
	if start < size { // without data, the size is that of the header's fields, and less than start
		data = b[start:size]
	}
	return &header{
		targets: native.Uint32(b[offTargets:]),
		open:    int32(native.Uint32(b[offOpen:])),
		flags:   native.Uint32(b[offFlags:]),
		event:   native.Uint32(b[offEvent:]),
		dev:     native.Uint64(b[offDev:]),
		name:    cString(b[offName : offUUID-1]),
		uuid:    cString(b[offUUID : offData-1]),
	}, data, nil
}

// cString is a string that ends with a NUL or with b.
func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// number decodes a device as the kernel's huge_encode_dev does it (include/linux/kdev_t.h).
func number(dev uint64) table.Number {
	return table.Number{Major: uint32(dev>>8) & 0xfff, Minor: uint32(dev&0xff | dev>>12&0xfff00)}
}
