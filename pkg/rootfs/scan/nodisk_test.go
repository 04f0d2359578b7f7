package scan

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

func TestCorrectLUN(t *testing.T) {
	const otherwise = ", or map the disk for this initiator at the target"
	for from, want := range map[string]string{
		"iscsi_lun=":              "correct iscsi_lun=" + otherwise,
		"rd.iscsiroot.lun=":       "correct rd.iscsiroot.lun=" + otherwise,
		"iscsi_lun= in the shell": "correct iscsi_lun=" + otherwise,
		"netroot=, 2nd":           "correct netroot=, 2nd" + otherwise,
		"DHCP option 17":          "lun 1 is from DHCP option 17: write iscsi_lun=N for another" + otherwise,
		"iBFT target 0":           "lun 1 is from iBFT target 0: write iscsi_lun=N for another" + otherwise,
	} {
		if got := correctLUN(bootspec.Value[iscsi.LUN]{V: iscsi.MakeLUN(1), From: from}); got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
}
