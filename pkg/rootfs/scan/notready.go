package scan

import (
	"fmt"
	"os"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// NotReadyError is a LUN whose disk cannot be used yet.
type NotReadyError struct {
	LUN    blockdev.LUN
	Target string
}

// Error implements error.
func (e *NotReadyError) Error() string {
	text := fmt.Sprintf("lun %v of %s is not ready", iscsi.KernelLUN(e.LUN.Number), e.Target)
	if e.LUN.Disk != "" {
		return "disk " + e.LUN.Disk + ", " + text
	}
	return text
}

// Retryable is true if there is a driver: the target may bring the LUN up later.
func (e *NotReadyError) Retryable() bool {
	_, err := os.Stat("/sys/bus/scsi/drivers/sd")
	return err == nil
}

// Hint returns the likely cause.
func (e *NotReadyError) Hint() string {
	if !e.Retryable() {
		return "the kernel has no driver for disks: does the image hold sd_mod?"
	}
	return "bring the LUN online at the target"
}
