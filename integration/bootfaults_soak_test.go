//go:build soak

package integration

import (
	"fmt"
	"testing"
	"time"
)

// The matrix's end: up to probedAfter PDUs the kernel looks for disks and probes them, and each PDU is another case; from there
// on files are read, until the agent has the session, which is before lastStrike.
const (
	probedAfter = 64
	lastStrike  = 104
)

// Every PDU from the target up to the first reads of the file system, and every 16th from there on, is the last one of the first
// connection, which is reset or muted then, with the oldest and the newest kernel.
func TestSoakBootFaultMatrix(t *testing.T) {
	const rows = 4
	for _, kernel := range []string{"amd64", "amd64-6.12"} {
		for _, a := range strikes {
			for row := range rows {
				t.Run(fmt.Sprintf("%s/%v/%d", kernel, a, row), func(t *testing.T) {
					r := newBootFaultRig(t)
					r.img.kernel = kernel
					r.matrixRow(a, soakStrikes(row, rows))
				})
			}
		}
	}
}

// soakStrikes are the numbers of one of several rows.
func soakStrikes(row, rows int) (numbers []int) {
	for n := 1; n < lastStrike; n++ {
		if n%rows == row && n <= probedAfter || n > probedAfter && n%16 == 0 && n/16%rows == row {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// The target answers logins and pings 8 s late.
func TestSoakBootBusyTarget(t *testing.T) { bootBusy(t, 8*time.Second) }
