package recovery

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// netlinkISCSI is the protocol's number (include/uapi/linux/netlink.h: NETLINK_ISCSI), iscsidGroup
// the mask of the group that iscsid joins (include/scsi/iscsi_if.h: ISCSI_NL_GRP_ISCSID).
const (
	netlinkISCSI = 8
	iscsidGroup  = 1 << 0
)

// listener is a socket that receives the kernel's iSCSI events.
type listener struct {
	id     uint32 // its port
	unread int    // bytes
}

// parseListeners reads which there are from the text of /proc/net/netlink
// (net/netlink/af_netlink.c: netlink_native_seq_show).
func parseListeners(text string) []listener {
	var all []listener
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Fields(line) // sk Eth Pid Groups Rmem ...
		if len(f) < 5 || f[1] != strconv.Itoa(netlinkISCSI) {
			continue
		}
		id, err := strconv.ParseUint(f[2], 10, 32)
		groups, gerr := strconv.ParseUint(f[3], 16, 32)
		unread, _ := strconv.Atoi(f[4])
		if err == nil && gerr == nil && groups&iscsidGroup != 0 && id != 0 {
			all = append(all, listener{uint32(id), max(unread, 0)})
		}
	}
	return all
}

// listeners returns the port ids, without our own.
func listeners(text string, own uint32) []uint32 {
	var ids []uint32
	for _, l := range parseListeners(text) {
		if l.id != own {
			ids = append(ids, l.id)
		}
	}
	return ids
}

// OtherListeners reads which other sockets receive the kernel's iSCSI events.
func OtherListeners(t *kernel.Transport) ([]uint32, error) {
	b, err := os.ReadFile(procNetlink)
	if err != nil {
		return nil, err
	}
	return listeners(string(b), t.PortID()), nil
}

// Unread returns how many bytes of the kernel's events a listener has not read.
func Unread(id uint32) (int, error) {
	b, err := os.ReadFile(procNetlink)
	if err != nil {
		return 0, err
	}
	for _, l := range parseListeners(string(b)) {
		if l.id == id {
			return l.unread, nil
		}
	}
	return 0, fmt.Errorf("socket %d of iscsi events: %w", id, fs.ErrNotExist)
}

// procNetlink lists the machine's netlink sockets.
const procNetlink = "/proc/net/netlink"
