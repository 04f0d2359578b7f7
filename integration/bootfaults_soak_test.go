//go:build soak

package integration

import (
	"fmt"
	"testing"
	"time"
)

// The range of the matrix: up to probedAfter PDUs the kernel scans for disks and probes them, and
// each PDU is a case of its own; after that files are read, until the hand-over of the session to
// the agent, which is before lastPDU.
const (
	probedAfter = 64
	lastPDU     = 104
)

// The first connection is reset, or goes silent, after every PDU from the target up to the first
// reads of the file system, and after every 16th from there on, with the oldest and the newest
// kernel.
func TestSoakBootFaultMatrix(t *testing.T) {
	const rows = 4
	for _, kernel := range []string{"amd64", "amd64-6.12"} {
		for _, a := range faultActions {
			for row := range rows {
				t.Run(fmt.Sprintf("%s/%v/%d", kernel, a, row), func(t *testing.T) {
					r := newBootFaultRig(t)
					r.img.kernel = kernel
					r.matrixRow(a, soakFaultNumbers(row, rows))
				})
			}
		}
	}
}

// soakFaultNumbers are the numbers of PDUs of one of several rows.
func soakFaultNumbers(row, rows int) (numbers []int) {
	for n := 1; n < lastPDU; n++ {
		if n%rows == row && n <= probedAfter || n > probedAfter && n%16 == 0 && n/16%rows == row {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// The target answers logins and pings 8 s late.
func TestSoakBootBusyTarget(t *testing.T) { bootBusy(t, 8*time.Second) }
