package integration

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// The shell shows the arrays and the volumes on them, before and after they are started.
func TestArraysShell(t *testing.T) {
	r := newVolumeRig(t, testArrays, "stripes")
	second := r.stripesOnTwoNetworks()
	m := r.start(arrayImage, lab.MachineConfig{
		Append: console + "ro rd.break=root,mount ip=10.77.0.2:::24::ens3:none ip=10.78.0.2:::24::ens2:none iscsi_i=" + initiator +
			" netroot=iscsi:10.77.0.1:::1:" + targetName + " netroot=iscsi:10.78.0.1:::1:" + target2 + " root=/dev/vg/root",
		NICs: []lab.NIC{{Tap: second, MAC: "52:54:00:77:00:02"}, {Tap: r.tap, MAC: "52:54:00:77:00:01"}},
	})
	r.expect(m, "break before step root", prompt)
	r.runLines(m, shellLine{"mdstat", []string{"stripes (raid0, ", "): not started\n", "slot 0     sda\n", "slot 1     sdb\n"}})
	r.send(m, "exit\n", "break before step mount", prompt)
	r.runLines(
		m,
		shellLine{"mdstat", []string{"md127: raid0, ", "slot 0     sda on session 1", "slot 1     sdb on session 2"}},
		shellLine{"lvs", []string{"vg/root (", "active\n"}},
		shellLine{"blkid", []string{"md127", "LVM2_member", "vg-root", "ext4"}},
		shellLine{"session", []string{"session 1: logged in", "session 2: logged in", "md127: raid0"}},
	)
	r.send(m, "exit\n", volumeMounted)
	r.waitOff(m)
}
