package integration

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// Stripes over the LUNs of two targets on two networks, with LVM on them. Both addresses are from
// DHCP.
func TestArraysTwoNetworksDHCP(t *testing.T) {
	r := newVolumeRig(t, testArrays, "stripes")
	second := r.stripesOnTwoNetworks()
	r.twoServers("--dhcp-option=option:router")
	m := r.bootWith(arrayImage, console+"rd.neednet=1 rw iscsi_i="+initiator+" netroot=iscsi:10.78.0.1:::1:"+target2+" netroot=iscsi:10.77.0.1:::1:"+targetName+
		" root=/dev/vg/root", lab.NIC{Tap: second}, lab.NIC{Tap: r.tap})
	r.expect(m, "guest: mount: /dev/mapper/vg-root / ext4 rw,")
	r.waitOff(m)
	r.checkDetail(m, r.group.Paths[0], "stripes", "raid0")
	d, err := r.group.Read(r.ctx, "vg/root", 16, filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(0); err != nil {
		t.Error(err)
	}
}

// The same disks by static addresses, or as an iBFT with two NICs has it, with other names of root,
// or none. Nothing is written to them.
func TestArraysTwoNetworksMatrix(t *testing.T) {
	t.Parallel()
	const line = "ip=10.77.0.2:::24::ens3:none ip=10.78.0.2:::24::ens2:none iscsi_i=" + initiator +
		" netroot=iscsi:10.77.0.1:::1:" + targetName + " netroot=iscsi:10.78.0.1:::1:" + target2
	cases := []struct {
		line string
		ibft bool
	}{
		{line + " root=/dev/mapper/vg-root", false},
		{line + " rd.md.uuid=UUID root=UUID=" + volumeRoot, false},
		{line + " rd.lvm.lv=vg/root root=LABEL=root rd.auto", false},
		{"rd.iscsi.ibft", true},
		{"rd.iscsi.ibft root=/dev/vg/root", true},
	}
	for _, row := range rows(t, len(cases)) {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			r := newVolumeRig(t, testArrays, "stripes")
			before := r.sums()
			second := r.stripesOnTwoNetworks()
			var args []string
			if cases[row].ibft {
				args = r.bootTable(secondBootNIC)
			}
			set := readMemberHead(t, r.group.Paths[0], 4096).set
			m := r.start(arrayImage, lab.MachineConfig{
				Append: console + "ro " + strings.Replace(cases[row].line, "=UUID ", "="+set+" ", 1), Args: args,
				NICs: []lab.NIC{{Tap: second, MAC: "52:54:00:77:00:02"}, {Tap: r.tap, MAC: "52:54:00:77:00:01"}},
			})
			r.expect(m, volumeMounted)
			r.waitOff(m)
			r.checkDetail(m, r.group.Paths[0], "stripes", "raid0")
			if !slices.Equal(r.sums(), before) {
				t.Error("a disk was written to")
			}
		})
	}
}

// stripesOnTwoNetworks starts the two targets; the tap is that of the second network.
func (r *volumeRig) stripesOnTwoNetworks() *lab.Tap {
	r.t.Helper()
	second := r.addTap("tap1", "10.78.0.1/24")
	r.oneTarget(r.group.Paths[0])
	r.startTgtd(targets.Config{Name: target2, Portal: netip.MustParseAddrPort("10.78.0.1:3260"), LUNs: map[int]string{1: r.group.Paths[1]}})
	return second
}

// secondBootNIC adds the second network with its target to an iBFT.
func secondBootNIC(t *ibft.Table) {
	t.NICs = append(t.NICs, ibft.NIC{
		Flags: ibft.Valid | ibft.BootSelected, Index: 1, PrefixLen: 24, Origin: ibft.OriginManual,
		Address: netip.MustParseAddr("10.78.0.2"), MAC: [6]byte{0x52, 0x54, 0, 0x77, 0, 2},
	})
	t.Targets = append(t.Targets, ibft.Target{
		Flags: ibft.Valid | ibft.BootSelected, Index: 1, NIC: 1, Name: target2, Portal: netip.MustParseAddrPort("10.78.0.1:3260"), LUN: iscsi.MakeLUN(1),
	})
}

// A member and its copy: neither is used, both places are named, and no disk is written to.
func TestArraysClonedMember(t *testing.T) {
	r := newVolumeRig(t, testArrays, "mirror")
	copied, err := images.OpenDisk(r.group.Paths[0]).Clone(filepath.Join(t.TempDir(), "copy"))
	if err != nil {
		t.Fatal(err)
	}
	r.group.Paths = append(r.group.Paths, copied.Path)
	before := r.sums()
	r.oneTarget(r.group.Paths...)
	m := r.boot(arrayImage, "", "console=ttyS0 root=UUID="+volumeRoot+" "+seedLine)
	r.expect(m, "iscsiroot: step root failed after")
	r.checkShown(m, "sda", " and on sdc")
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.sums(), before) {
		t.Error("a disk was written to")
	}
}

// A mirror, one of whose targets is away, starts without it after a time that the screen names.
// When the target comes, its half is brought up to date.
func TestArraysDegraded(t *testing.T) {
	r := newMirrorRig(t, "mirror")
	r.m = r.boot(arrayImage, "", mirrorLine)
	r.expect(r.m, "waiting for target "+secondTarget+" for 30 s", "s left), then it is activated without them", "guest: mount: /dev/md")
	r.waitArray("degraded=1")
	r.waitWritten()
	r.startSecondLeg()
	r.expect(r.m, secondTarget+": logged in again after")
	r.waitArray("degraded=0")
	r.goDown()
	r.checkDetail(r.m, r.group.Paths[0], "root", "raid1")
	r.checkMirror()
}

// One target of a mirror dies under write load: its session is ended after iscsi_mirror_tmo=, and
// the writes go on without an error. When the target comes back, the session is made anew, and the
// half is brought up to date by the bitmap, without what has not changed.
func TestArraysMirrorTargetDies(t *testing.T) {
	r := newMirrorRig(t, "mirror")
	r.startSecondLeg()
	r.m = r.boot(arrayImage, "", mirrorLine)
	r.expect(r.m, "guest: mount: /dev/md")
	r.waitWritten()
	if err := r.second.Stop(); err != nil {
		t.Fatal(err)
	}
	r.expect(r.m, secondTarget+": connection lost")
	r.waitArray("degraded=1")
	r.waitWritten()
	r.startSecondLeg()
	r.waitArray("degraded=0", "sync_action=idle", "slot=0", "slot=1")
	r.checkNoFullResync()
	r.goDown()
	r.checkDetail(r.m, r.group.Paths[0], "root", "raid1")
	r.checkMirror()
}

// waitInterval is the time between two looks at the machine's arrays.
const waitInterval = 500 * time.Millisecond
