package lvm

import (
	"fmt"
	"strconv"
	"strings"
)

// Check reads the kernel's status of a thin pool
// (Documentation/admin-guide/device-mapper/thin-provisioning.rst):
//
//	TRANSACTION USED/TOTAL USED/TOTAL HELD|- rw|ro|out_of_data_space DISCARD QUEUE NEEDS_CHECK|- WATER
//
// and returns an error if the pool's devices must not be used. Whether the metadata are whole, only
// thin_check(8) can tell.
func (p *Pool) Check(status string) error {
	w := strings.Fields(status)
	if len(w) == 0 || w[0] == "Fail" || w[0] == "Error" {
		return fmt.Errorf("thin pool %s: the kernel cannot read its metadata: repair it with lvconvert --repair %s", p.Name, p.Name)
	}
	have, err := strconv.ParseUint(w[0], 10, 64)
	if err != nil || len(w) < 5 {
		return fmt.Errorf("thin pool %s: status %q is not understood", p.Name, clip(status))
	}
	for _, word := range w[5:] {
		if word == "needs_check" {
			return fmt.Errorf("thin pool %s: its metadata need a check: repair it with lvconvert --repair %s", p.Name, p.Name)
		}
	}
	if p.Pending && have == p.TransactionID-1 {
		return nil
	}
	if have != p.TransactionID {
		return fmt.Errorf("thin pool %s: the kernel has transaction %d, lvm has %d: its last change was not finished, or its metadata are of another time: see lvmthin(7)", p.Name, have, p.TransactionID)
	}
	return nil
}

// Pool is what has to be compared with the kernel's status, after a thin pool is loaded and before
// a device of it is.
type Pool struct {
	Name          string // "vg/pool"
	TransactionID uint64
	// Pending: messages to the kernel are not sent, or not noted as sent. The devices that the
	// kernel knows can be used without: lvm2 sends the messages when it activates a volume of
	// the pool again, also while the pool is in use (libdm/libdm-deptree.c:
	// _node_send_messages).
	Pending bool
}
