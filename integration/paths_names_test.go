package integration

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// pathLines are command lines for two paths to a LUN of one target, and what the guest finds then.
var pathLines = []struct {
	name, line string
	img        image
	maps       []string // what paths shows
	root       string   // the device that root is mounted from; empty: partition 2 of the map
	ibft       bool
	dhcp       bool
	shell      []shellLine // at a break, with the map
}{
	{name: "dhcp", line: pathTarget + pathPortals + "ip=ens2:dhcp ip=ens3:dhcp iscsi_multipath=1", dhcp: true, maps: []string{bothAlive}},
	{name: "netroot", line: console + "rw iscsi_i=" + initiator + " " + pathNICs + "netroot=iscsi:10.77.0.1:::1:" + targetName +
		" netroot=iscsi:10.78.0.1:::1:" + targetName + " root=/dev/sda2", maps: []string{bothAlive}},
	{name: "ibft", line: console + "rw rd.iscsi.ibft root=LABEL=root", ibft: true, maps: []string{bothAlive}},
	{name: "map", line: pathTarget + pathPortals + pathNICs + "iscsi_multipath=1 root=/dev/mapper/" + tgtdID + "-part2", maps: []string{bothAlive}},
	{name: "id", line: pathTarget + pathPortals + pathNICs + "iscsi_multipath=1 root=/dev/disk/by-id/scsi-" + tgtdID + "-part2", maps: []string{bothAlive}},
	{name: "coreos", line: pathTarget + pathPortals + pathNICs + "iscsi_multipath=1 root=/dev/disk/by-label/dm-mpath-root", maps: []string{bothAlive}},
	{name: "uuid", line: pathTarget + pathPortals + pathNICs + "iscsi_multipath=1 rd.break=mount root=UUID=" + volumeRoot, maps: []string{bothAlive}, shell: []shellLine{
		{"multipath", []string{tgtdID + ": multipath, ", " MiB, 2 of 2 paths work, I/O waits", "session 1 at 10.77.0.1 port 3260, group 1 (in use), ", "works, failures 0", "session 4 at 10.78.0.1 port 3260, ", "works, failures 0"}},
		{"session", []string{"session 1: logged in", "session 2: not logged in: it has had no connection", "session 3: not logged in: it has had no connection", "session 4: logged in"}},
	}},
	{name: "one path", line: pathTarget + "iscsi_a=10.77.0.1 " + pathNICs + "iscsi_multipath=ens2", maps: []string{"1 alive, 0 failed"}},
	{name: "not asked", line: pathTarget + pathPortals + pathNICs, root: "/dev/sda2", maps: []string{"maps: 0"}},
	{name: "off", line: console + "rw iscsi_i=" + initiator + " " + pathNICs + "netroot=iscsi:10.77.0.1:::1:" + targetName +
		" netroot=iscsi:10.78.0.1:::1:" + targetName + " nompath", root: "/dev/sda2", maps: []string{"maps: 0"}},
	{name: "no module", line: pathTarget + pathPortals + pathNICs + "iscsi_multipath=1", img: virtio, root: "/dev/sda2", maps: []string{"maps: 0"}},
}

// Each way in which a plan has two paths, each name of root on their map, and each way in which
// there is no map.
func TestPathNamesMatrix(t *testing.T) {
	t.Parallel()
	for _, row := range rows(t, len(pathLines)) {
		c := pathLines[row]
		t.Run(c.name, func(t *testing.T) {
			r := newPathNetworks(t)
			r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Label: "root", UUID: volumeRoot, Tree: root("faults")})
			r.startPathTarget(r.disk.Path)
			if c.dhcp {
				r.twoServers("--dhcp-option=option:router")
			}
			var args []string
			if c.ibft {
				args = r.bootTable(secondPath)
			}
			img := pathImage
			if c.img != (image{}) {
				img = c.img
			}
			r.m = r.start(img, lab.MachineConfig{
				Append: c.line, Args: args,
				NICs: []lab.NIC{{Tap: r.taps[0], MAC: "52:54:00:77:00:01"}, {Tap: r.taps[1], MAC: "52:54:00:77:00:02"}},
			})
			if c.shell != nil {
				r.expect(r.m, "break before step mount", prompt)
				r.runLines(r.m, c.shell...)
				r.typeLine("exit")
			}
			if c.root == "" {
				r.expectMap()
			} else {
				r.expect(r.m, "guest: mount: "+c.root+" / ext4 rw")
			}
			r.waitShown("paths", c.maps...)
			if c.img != (image{}) {
				r.checkShown(r.m, "--storage multipath")
			}
			r.typeLine("end")
			r.waitOff(r.m)
			r.checkNoPathErrors()
		})
	}
}

// secondPath adds the second NIC and portal to an iBFT.
func secondPath(t *ibft.Table) {
	secondBootNIC(t)
	t.Targets[1].Name = targetName
}

// joinLines are command lines for two targets of different names that show the same WWID, and
// whether they are joined.
var joinLines = []struct {
	name, word string
	joined     bool
}{
	{"tgt", "", false}, // each first LUN has the same
	{"tgt with the id", "iscsi_multipath=" + clonesID, true}, // its name is that of the map
	{"tgt with mpath.wwid", "mpath.wwid=" + clonesID, true},  // as Red Hat's
	{"tgt switched off", "mpath.wwid=" + clonesID + " rd.multipath=0", false},
}

// Two targets whose LUNs show the same WWID, which tells nothing: they are clones of each other.
// They are not joined unless the command line has the WWID.
func TestPathClonesMatrix(t *testing.T) {
	t.Parallel()
	for _, row := range rows(t, len(joinLines)) {
		c := joinLines[row]
		t.Run(c.name, func(t *testing.T) {
			r := newPathNetworks(t)
			r.id = clonesID
			r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("faults")})
			second := r.disk.Path
			if !c.joined {
				clone, err := r.disk.Clone(filepath.Join(t.TempDir(), "clone"))
				if err != nil {
					t.Fatal(err)
				}
				second = clone.Path
			}
			r.tgtdWith(targets.Config{Name: targetName, Portal: netip.MustParseAddrPort("10.77.0.1:3260"), LUNs: map[int]string{1: r.disk.Path}})
			r.tgtdWith(targets.Config{Name: target2, Portal: netip.MustParseAddrPort("10.78.0.1:3260"), LUNs: map[int]string{1: second}})
			r.startPaths(pathImage, pathTarget+"iscsi_a=10.77.0.1 iscsi_t.2="+target2+" iscsi_a.2=10.78.0.1 "+pathNICs+c.word)
			if c.joined {
				r.expectMap()
				r.waitMap(bothAlive)
			} else {
				r.expect(r.m, "guest: mount: /dev/sda2 / ext4 rw")
				r.waitShown("paths", "maps: 0")
			}
			r.typeLine("end")
			r.waitOff(r.m)
			r.checkNoPathErrors()
		})
	}
}
