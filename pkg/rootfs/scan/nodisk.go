package scan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// NoDisk returns the error for a target without the disk, with the LUNs that the target has
// instead.
func (sc Scanner) NoDisk(ctx context.Context, lun bootspec.Value[iscsi.LUN]) error {
	s := sc.s
	if lun.Given() {
		// The other LUNs are scanned only now; the wait is for their sizes.
		var slow *NotReadyError
		if _, err := sc.Scan(ctx, kernel.ScanAll); err != nil && !errors.As(err, &slow) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	luns, err := blockdev.LUNs("/sys", s.SID)
	if err != nil {
		return err
	}
	var have []string
	for _, u := range luns {
		have = append(have, fmt.Sprintf("lun %v is %s", iscsi.KernelLUN(u.Number), u.Describe("/sys")))
	}
	seen := "it presents no LUN"
	if len(have) > 0 {
		seen = strings.Join(have, ", ")
	}
	if lun.Given() {
		return sequence.WithHint(fmt.Errorf("target %s has no disk at lun %v: %s", s.Target, lun.V, seen), correctLUN(lun))
	}
	return sequence.WithHint(fmt.Errorf("target %s has no disk: %s", s.Target, seen), "map a disk for this initiator at the target")
}

// correctLUN returns a hint about a LUN that does not exist, with its source.
func correctLUN(lun bootspec.Value[iscsi.LUN]) string {
	const otherwise = "or map the disk for this initiator at the target"
	if bootspec.IsParameter(lun.From) {
		return "correct " + strings.TrimSuffix(lun.From, " in "+bootspec.FromShell) + ", " + otherwise
	}
	return fmt.Sprintf("lun %v is from %s: write iscsi_lun=N for another, %s", lun.V, lun.From, otherwise)
}
