package network

import (
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// .link files have lower precedence than a parameter that gives the name, or that contains one that
// no file gives, and higher precedence than udev's defaults.
func TestNamesOfLinkFiles(t *testing.T) {
	const (
		lan0     = "[Match]\nMACAddress=52:54:00:77:00:01\n[Link]\nName=lan0\n"
		other    = "[Match]\nMACAddress=52:54:00:77:00:02\n[Link]\nName=eth0\n"
		linkFile = "etc/systemd/network/10-a.link: "
		i440     = "devices/pci0000:00/0000:00:03.0"
		device   = "class/net/eth0/device>" + i440 + "/virtio0"
	)
	all := func(link string) string { return "[Match]\nOriginalName=*\n[Link]\n" + link + "\n" }
	for _, tt := range []struct {
		name, line string
		files      map[string]string
		assigned   string
		want       string
		warned     string
	}{
		{"by MAC", "", map[string]string{"10-a.link": lan0}, "1", "lan0", ""},
		{"named in ip=", "ip=lan0:dhcp", map[string]string{"10-a.link": lan0}, "1", "lan0", ""},
		{"net.ifnames=0 is for policies", "net.ifnames=0", map[string]string{"10-a.link": lan0}, "1", "lan0", ""},
		{"ifname= counts more", "ifname=boot0:52:54:00:77:00:01", map[string]string{"10-a.link": lan0}, "1", "boot0", ""},
		{"a parameter has the kernel's name", "ip=eth0:dhcp", map[string]string{"10-a.link": lan0}, "1", "eth0", ""},
		{"which a file gives another NIC", "ip=eth0:dhcp", map[string]string{"10-a.link": lan0, "20-b.link": other}, "1", "lan0", ""},
		{"a parameter has udev's name", "ip=enp0s3:dhcp", map[string]string{"10-a.link": lan0}, "1", "enp0s3", ""},
		{"the first file counts", "", map[string]string{"10-a.link": all("Name=a0"), "20-b.link": lan0}, "1", "a0", ""},
		{"for another NIC", "", map[string]string{"10-b.link": other}, "1", "ens3", ""},
		{"a policy before the name", "", map[string]string{"10-a.link": all("NamePolicy=onboard path\nName=a0")}, "1", "enp0s3", ""},
		{"without policies", "net.ifnames=0", map[string]string{"10-a.link": all("NamePolicy=path\nName=a0")}, "1", "a0", ""},
		{"no policy has a name", "", map[string]string{"10-a.link": all("NamePolicy=database onboard\nName=a0")}, "1", "a0", ""},
		{"the MAC's", "", map[string]string{"10-a.link": all("NamePolicy=mac")}, "1", "enx525400770001", ""},
		{"neither policy nor name", "", map[string]string{"10-a.link": all("Description=x")}, "1", "eth0", ""},
		{"renamed by another", "", map[string]string{"10-a.link": all("NamePolicy=keep path")}, "4", "eth0", ""},
		{"renamed by another, again", "", map[string]string{"10-a.link": lan0}, "4", "lan0", ""},
		{"predictable", "", map[string]string{"10-a.link": all("NamePolicy=kernel path")}, "2", "eth0", ""},
		{"by the kernel", "", map[string]string{"10-a.link": all("NamePolicy=keep kernel path")}, "1", "enp0s3", ""},
		{"udev's default is masked", "", map[string]string{"99-default.link": ""}, "1", "eth0", ""},
		{"udev's default is changed", "", map[string]string{"99-default.link.d/mac.conf": "[Link]\nNamePolicy=mac\n"}, "1", "enx525400770001", ""},
		{"by driver, place and type", "", map[string]string{"10-a.link": "[Match]\nDriver=virtio_*\nPath=pci-0000:00:03.0\nType=ether\nOriginalName=eth0\n[Link]\nName=a0\n"}, "1", "a0", ""},
		{"another driver", "", map[string]string{"10-a.link": "[Match]\nDriver=e1000\n[Link]\nName=a0\n"}, "1", "ens3", ""},
		{
			"other keys", "",
			map[string]string{"10-a.link": lan0 + "MTUBytes=9000\nName=x/y\n"},
			"1", "lan0",
			linkFile + "not supported and ignored: Name=x/y; " + linkFile + "[Link] MTUBytes= is ignored in the initramfs: only the name is used, the rest is left to udev of the real system",
		},
		{
			"what cannot be judged", "",
			map[string]string{"10-a.link": "[Match]\nHost=a\nOriginalName=eth*\n[Link]\nName=a0\n", "20-b.link": all("Name=b0")},
			"1", "b0",
			linkFile + "[Match] Host= cannot be evaluated in the initramfs: the file is ignored",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := bootspec.Parse(words(tt.line))
			if err != nil {
				t.Fatal(err)
			}
			var warned []string
			n := namer{
				net: &p.Net, plannedNames: p.Net.Named(), files: linkFiles(t, tt.files), warned: map[string]bool{},
				warn: func(text string) { warned = append(warned, strings.TrimPrefix(text, "/")) },
				sys: fakeSys(t, device, "class/net/eth0/device/driver>drivers/virtio_net", "class/net/eth0/addr_assign_type=0", i440+"/virtio0/subsystem>bus/virtio", i440+"/subsystem>bus/pci",
					"bus/pci/slots/3/address=0000:00:03", "class/net/eth0/name_assign_type="+tt.assigned),
			}
			for range 2 { // a warning comes once
				if got := n.name(eth0); got != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
			}
			if got := strings.Join(warned, "; "); got != tt.warned {
				t.Errorf("warned %q", got)
			}
		})
	}
}

// A NIC that was renamed out of the way is matched by its original name, and does not keep the
// temporary one.
func TestNameAfterTemporaryName(t *testing.T) {
	sys := []string{"class/net/rename3/device>devices/pci0000:00/0000:00:04.0", "bus/pci/slots/4/address=0000:00:04", "class/net/rename3/name_assign_type=4"}
	nic := &namedNIC{"rename3", "eth1", "52:54:00:77:00:02", ""}
	for want, files := range map[string]map[string]string{
		"ens4": nil,
		"eth0": {"10-a.link": "[Match]\nOriginalName=eth1\n[Link]\nName=eth0\n"},
	} {
		n := namer{net: &bootspec.Net{}, sys: fakeSys(t, sys...), files: linkFiles(t, files)}
		if got := n.name(nic); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// ID_PATH as udev builds it.
func TestIDPath(t *testing.T) {
	const usb = "devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1.4"
	for _, tt := range []struct {
		dev   string
		buses string // of the devices, from the last one up; - for a directory without one
		want  string
	}{
		{"devices/pci0000:00/0000:00:03.0", "pci -", "pci-0000:00:03.0"},
		{"devices/pci0000:00/0000:00:03.0/virtio0", "virtio pci -", "pci-0000:00:03.0"},
		{"devices/pci0000:00/0000:00:1c.0/0000:02:00.1", "pci pci -", "pci-0000:02:00.1"},
		{usb + "/1-1.4:1.0", "usb usb usb usb pci -", "pci-0000:00:14.0-usb-0:1.4:1.0"},
		{"devices/platform/a003e00.virtio_mmio/virtio3", "virtio platform -", "platform-a003e00.virtio_mmio"},
		{"devices/platform/4010000000.pcie/pci4010:00/4010:00:01.0", "pci - platform -", "platform-4010000000.pcie-pci-4010:00:01.0"},
		{"devices/vif-0", "xen", "xen-vif-0"},
		{"devices/VMBUS:00/f8b3781b", "vmbus -", ""},
	} {
		var entries []string
		dir := tt.dev
		for bus := range strings.FieldsSeq(tt.buses) {
			if bus != "-" {
				entries = append(entries, dir+"/subsystem>bus/"+bus)
			}
			dir = dir[:strings.LastIndex(dir, "/")]
		}
		slices.Reverse(entries)
		root := strings.TrimSuffix(fakeSys(t, entries...), "class/net")
		if got := idPath(root + tt.dev); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.dev, got, tt.want)
		}
	}
}
