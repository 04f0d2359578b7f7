package blockdev

import (
	"fmt"
	"strings"
)

// The statuses of a command in words: the device's (SAM-5 table 43), and the host's
// (include/scsi/scsi_status.h: enum scsi_host_status).
var (
	deviceStatuses = map[uint8]string{
		0x02: "CHECK CONDITION", 0x08: "BUSY", 0x18: "RESERVATION CONFLICT", 0x28: "TASK SET FULL", 0x30: "ACA ACTIVE", 0x40: "TASK ABORTED",
	}
	hostStatuses = map[uint16]string{
		1: "no connection", 2: "bus busy", 3: "timed out", 4: "bad target", 5: "aborted", 7: "error in the driver", 8: "reset",
		11: "to be repeated", 12: "to be requeued", 13: "to be repeated at once", 14: "transport disrupted", 15: "transport failed",
	}
)

// statusText names what is not success.
func statusText(device uint8, host uint16) string {
	var out []string
	if device != 0 {
		out = append(out, named("SCSI status", uint64(device), deviceStatuses[device]))
	}
	if host != 0 {
		out = append(out, named("host status", uint64(host), hostStatuses[host]))
	}
	return strings.Join(out, ", ")
}

// named is a number with its name, if it has one.
func named(what string, number uint64, name string) string {
	text := fmt.Sprintf("%s 0x%02x", what, number)
	if name != "" {
		text += " (" + name + ")"
	}
	return text
}
