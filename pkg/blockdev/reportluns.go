package blockdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Of REPORT LUNS (SPC-4 6.33).
const (
	opReportLUNs = 0xa0
	lunsHeader   = 8 // bytes before the list
	lunLen       = 8
	// maxLUNs is how many are requested, as many as by the kernel (drivers/scsi/scsi_scan.c:
	// max_scsi_report_luns).
	maxLUNs = 511
	// wellKnown is the first byte of a LUN that names no disk (SAM-5 4.7.7.5.1).
	wellKnown = 0xc1
)

// ReportLUNs requests the list of logical units from a disk's target, and returns their numbers as
// the kernel has them, sorted. path is the node of any disk of the target.
func ReportLUNs(path string) ([]uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	buf := make([]byte, lunsHeader+maxLUNs*lunLen)
	cdb := make([]byte, 12)
	cdb[0] = opReportLUNs
	binary.BigEndian.PutUint32(cdb[6:], uint32(len(buf)))
	n, err := readSCSI(f, cdb, buf)
	if err != nil {
		return nil, fmt.Errorf("REPORT LUNS by %s: %w", path, err)
	}
	return parseLUNs(buf[:n]), nil
}

// parseLUNs reads the answer to REPORT LUNS. A truncated list is parsed up to its end.
func parseLUNs(b []byte) []uint64 {
	if len(b) < lunsHeader {
		return nil
	}
	list := b[lunsHeader:]
	list = list[:min(uint64(len(list)), uint64(binary.BigEndian.Uint32(b)))]
	var out []uint64
	for ; len(list) >= lunLen; list = list[lunLen:] {
		if list[0] == wellKnown {
			continue
		}
		out = append(out, iscsi.LUN(binary.BigEndian.Uint64(list)).Kernel())
		for i := len(out) - 1; i > 0 && out[i] < out[i-1]; i-- { // they come sorted, mostly
			out[i], out[i-1] = out[i-1], out[i]
		}
	}
	return out
}

// sgHeader is struct sg_io_hdr (include/scsi/sg.h).
type sgHeader struct {
	interfaceID  int32
	direction    int32
	cmdLen       uint8
	maxSense     uint8
	iovecCount   uint16
	dataLen      uint32
	data         unsafe.Pointer
	cmd          unsafe.Pointer
	sense        unsafe.Pointer
	timeout      uint32 // milliseconds
	flags        uint32
	packID       int32
	usrPtr       unsafe.Pointer
	status       uint8
	maskedStatus uint8
	msgStatus    uint8
	senseLen     uint8
	hostStatus   uint16
	driverStatus uint16
	resid        int32
	duration     uint32
	info         uint32
}

// Of that header (include/scsi/sg.h).
const (
	sgIO          = 0x2285
	sgInterface   = 'S'
	sgFromDevice  = -3
	commandMillis = 10_000
)

// readSCSI sends a command that reads, and returns the number of bytes.
func readSCSI(f *os.File, cdb, buf []byte) (int, error) {
	h := sgHeader{
		interfaceID: sgInterface, direction: sgFromDevice, cmdLen: uint8(len(cdb)), cmd: unsafe.Pointer(&cdb[0]),
		dataLen: uint32(len(buf)), data: unsafe.Pointer(&buf[0]), timeout: commandMillis,
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), sgIO, uintptr(unsafe.Pointer(&h)))
	runtime.KeepAlive(f)
	runtime.KeepAlive(cdb)
	runtime.KeepAlive(buf)
	switch {
	case errno != 0:
		return 0, errno
	case h.status != 0 || h.hostStatus != 0:
		return 0, errors.New(statusText(h.status, h.hostStatus))
	}
	return min(len(buf), max(0, len(buf)-int(h.resid))), nil
}
