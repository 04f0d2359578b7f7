package integration

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/ibft/ibfttest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// bareScript makes iPXE log in and boot with a command line without iSCSI parameters.
const bareScript = `#!ipxe
set initiator-iqn ` + initiator + `
set keep-san 1
sanhook --drive 0x80 iscsi:10.77.0.1:::1:` + targetName + `
kernel http://10.77.0.1/vmlinuz initrd=initrd.img console=ttyS0 loglevel=7
initrd http://10.77.0.1/initrd.img
boot
`

// iPXE's table alone has the parameters of the login: names, portal, LUN, address, and the secrets
// of both sides, which are found nowhere else.
func TestIBFTByIPXEMatrix(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		boot func(*testing.T, *rig)
	}{{"without authentication", ibftPlain}, {"mutual CHAP", ibftMutualCHAP}}
	for _, row := range rows(t, len(cases)) {
		t.Run(cases[row].name, func(t *testing.T) { cases[row].boot(t, newRig(t)) })
	}
}

func ibftPlain(_ *testing.T, r *rig) {
	r.chapTarget(targets.CHAP{}, "")
	r.bootByIBFT(bareScript)
}

func ibftMutualCHAP(t *testing.T, r *rig) {
	r.chapTarget(mutual, searchWord(mutual.Secret))
	m := r.bootByIBFT(strings.Replace(bareScript, "sanhook", "set username "+mutual.User+"\nset password "+mutual.Secret+
		"\nset reverse-username "+mutual.MutualUser+"\nset reverse-password "+mutual.MutualSecret+"\nsanhook", 1))
	r.checkShown(m, "guest: session: username="+mutual.User, "guest: session: username_in="+mutual.MutualUser)
	if strings.Contains(m.Output(), "guest: hunt: found") {
		t.Error("a secret was found")
	}
}

func (r *rig) bootByIBFT(script string) *lab.Machine {
	r.t.Helper()
	s := r.newBootServer(httpHead+hostsBody, virtio)
	s.write("ibft.ipxe", script)
	s.httpFrom(s.tree())
	s.serve("--dhcp-boot=tag:ipxe,http://10.77.0.1/ibft.ipxe")
	m := s.powerOn(pc("virtio-net-pci"))
	r.expect(m, "Registered SAN device 0x80", "iBFT found at", "login to "+targetName+" at 10.77.0.1:3260: session 1", "guest: mount: /dev/sda2 / ext4 ro,",
		"guest: session: initiatorname="+initiator)
	r.waitOff(m)
	return m
}

// An adapter's iBFT, in an ACPI table: the first NIC's VLAN has IPv4 and a data target with CHAP;
// the second NIC has IPv6 alone and the target that the firmware booted from.
func TestIBFTOfAnAdapter(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("net")})
	data := targets.Config{
		Name: "iqn.2007-01.com.example:storage.data", Portal: netip.MustParseAddrPort("10.78.0.1:3261"),
		LUNs: map[int]string{2: r.emptyDisk()}, CHAP: oneWay,
	}
	boot := targets.Config{Name: targetName, Portal: netip.MustParseAddrPort("[fd78::1]:3260"), LUNs: map[int]string{1: r.disk.Path}}
	wire, err := r.ns.AddWire("wire0", 7, 1500, netip.MustParsePrefix("10.78.0.1/24"))
	if err != nil {
		t.Fatal(err)
	}
	r.addAddress(r.tap.Name(), "fd78::1/64")
	for _, c := range []targets.Config{data, boot} {
		if _, err := targets.StartTgtd(r.ctx, r.ns, c); err != nil {
			t.Fatal(err)
		}
	}
	table := r.writeFile("ibft", encode(t, adapter(data, boot)))
	m := r.start(allNetDevices, lab.MachineConfig{
		Append: "console=ttyS0 rd.debug", NICs: []lab.NIC{{Tap: r.tap, MAC: "52:54:00:77:00:02"}},
		Args: append(wire.Args("wire0", "virtio-net-pci", "52:54:00:77:00:01"), "-acpitable", "file="+table+"/ibft"),
	})
	r.expect(m, "guest: mount: /dev/sd", " / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "login to "+targetName+" at [fd78::1]:3260: session ", "login to "+data.Name+" at 10.78.0.1:3261: session ", " is lun 2 of "+data.Name,
		"10.78.0.2/24", "fd78::2/64", " vlan 7\n")
	if strings.Contains(m.Output(), oneWay.Secret) {
		t.Error("a secret was found")
	}
}

// adapter is the iBFT for two targets, of which the firmware booted from the second.
func adapter(data, boot targets.Config) ibft.Table {
	return ibft.Table{
		OEM: "LAB", Model: "ADAPTER",
		Initiator: ibft.Initiator{Flags: ibft.Valid | ibft.BootSelected, Name: initiator},
		NICs: []ibft.NIC{
			{Flags: ibft.Valid, Index: 0, Address: netip.MustParseAddr("10.78.0.2"), PrefixLen: 24, VLAN: 7, MAC: [6]byte{0x52, 0x54, 0, 0x77, 0, 1}},
			{Flags: ibft.Valid | ibft.BootSelected, Index: 1, Address: netip.MustParseAddr("fd78::2"), PrefixLen: 64, MAC: [6]byte{0x52, 0x54, 0, 0x77, 0, 2}},
		},
		Targets: []ibft.Target{
			{
				Flags: ibft.Valid, Index: 0, Name: data.Name, Portal: data.Portal, LUN: iscsi.MakeLUN(2), NIC: 0,
				CHAP: ibft.OneWayCHAP, User: oneWay.User, Secret: iscsi.NewSecret([]byte(oneWay.Secret)),
			},
			{Flags: ibft.Valid | ibft.BootSelected, Index: 1, Name: boot.Name, Portal: boot.Portal, LUN: iscsi.MakeLUN(1), NIC: 1},
		},
	}
}

func encode(t *testing.T, table ibft.Table) []byte {
	t.Helper()
	b, err := ibfttest.Encode(table)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
