package network

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network/linkfile"
)

// fakeSys creates a sysfs of files and links: "path=text", "path>target".
func fakeSys(t *testing.T, entries ...string) (classNet string) {
	t.Helper()
	root := t.TempDir()
	for _, e := range entries {
		i := strings.IndexAny(e, "=>")
		path := filepath.Join(root, e[:i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if e[i] == '>' {
			if err = os.MkdirAll(filepath.Join(root, e[i+1:]), 0o755); err == nil {
				err = os.Symlink(filepath.Join(root, e[i+1:]), path)
			}
		} else {
			err = os.WriteFile(path, []byte(e[i+1:]+"\n"), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(root, "class/net")
}

// eth0 is a NIC as the kernel has it.
var eth0 = &namedNIC{"eth0", "eth0", "52:54:00:77:00:01", "52:54:00:77:00:01"}

// linkFiles reads an image with these files below etc/systemd/network.
func linkFiles(t *testing.T, texts map[string]string) []*linkfile.File {
	t.Helper()
	root := fstest.MapFS{}
	for name, text := range texts {
		root["etc/systemd/network/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	files, errs := linkfile.Read(root)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return files
}

// Names as udev 252 gives them; the device paths are those of QEMU and servers.
func TestUdevNames(t *testing.T) {
	const (
		enum   = "class/net/eth0/name_assign_type=1"
		i440   = "devices/pci0000:00/0000:00:03.0"
		behind = "devices/pci0000:00/0000:00:1c.0/0000:02:00.0"
		usb    = "devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1.4/1-1.4:1.0"
		onUSB  = usb + "/subsystem>bus/usb"
		onPCI  = "devices/pci0000:00/0000:00:14.0/subsystem>bus/pci"
	)
	multi := "=" + strings.Repeat("\x00", 14) + "\x80"
	for _, tt := range []struct {
		name    string
		entries []string
		want    string
		all     string
	}{
		{"PCI, no slots", []string{"class/net/eth0/device>" + i440}, "enp0s3", "enp0s3 enx525400770001"},
		{"PCI in a slot", []string{"class/net/eth0/device>" + i440, "bus/pci/slots/3/address=0000:00:03", "bus/pci/slots/4/address=0000:00:04"}, "ens3", "ens3 enp0s3 enx525400770001"},
		{"virtio in a slot", []string{"class/net/eth0/device>" + i440 + "/virtio0", "bus/pci/slots/3/address=0000:00:03"}, "ens3", "ens3 enp0s3 enx525400770001"},
		{"slot that is not a number", []string{"class/net/eth0/device>" + i440, "bus/pci/slots/3-1/address=0000:00:03", "bus/pci/slots/0/address=0000:00:03"}, "enp0s3", "enp0s3 enx525400770001"},
		{"on board by ACPI", []string{"class/net/eth0/device>" + i440, i440 + "/acpi_index=2", i440 + "/index=1", "bus/pci/slots/3/address=0000:00:03"}, "eno2", "eno2 ens3 enp0s3 enx525400770001"},
		{"on board by SMBIOS", []string{"class/net/eth0/device>" + i440, i440 + "/index=1"}, "eno1", "eno1 enp0s3 enx525400770001"},
		{"on board with 0", []string{"class/net/eth0/device>" + i440, i440 + "/acpi_index=0"}, "enp0s3", "enp0s3 enx525400770001"},
		{"second port", []string{"class/net/eth0/device>" + i440, "class/net/eth0/dev_port=1"}, "enp0s3d1", "enp0s3d1 enx525400770001"},
		{"named port", []string{"class/net/eth0/device>" + i440, "class/net/eth0/phys_port_name=p1", "class/net/eth0/dev_port=1"}, "enp0s3np1", "enp0s3np1 enx525400770001"},
		{"first of two functions", []string{"class/net/eth0/device>" + behind, behind + "/config" + multi}, "enp2s0f0", "enp2s0f0 enx525400770001"},
		{"bridge in a slot", []string{"class/net/eth0/device>" + behind, "devices/pci0000:00/0000:00:1c.0/class=0x060400", "bus/pci/slots/7/address=0000:00:1c"}, "enp2s0", "enp2s0 enx525400770001"},
		{"functions behind a bridge in a slot", []string{"class/net/eth0/device>" + behind, behind + "/config" + multi, "devices/pci0000:00/0000:00:1c.0/class=0x060400", "bus/pci/slots/7/address=0000:00:1c"}, "ens7f0", "ens7f0 enp2s0f0 enx525400770001"},
		{"another domain", []string{"class/net/eth0/device>devices/pci10000:00/10000:01:00.0"}, "enP65536p1s0", "enP65536p1s0 enx525400770001"},
		{"functions by ARI", []string{"class/net/eth0/device>devices/pci0000:00/0000:02:01.2", "devices/pci0000:00/0000:02:01.2/ari_enabled=1"}, "enp2s1f10", "enp2s1f10 enx525400770001"},
		{"USB with a MAC of its own", []string{"class/net/eth0/device>" + usb, onUSB, onPCI, "class/net/eth0/addr_assign_type=0"}, "enx525400770001", "enp0s20u1u4 enx525400770001"},
		{"USB with a random MAC", []string{"class/net/eth0/device>" + usb, onUSB, onPCI, "class/net/eth0/addr_assign_type=1"}, "eth0", "enp0s20u1u4 enx525400770001"},
		{"virtual function", []string{"class/net/eth0/device>" + i440, i440 + "/physfn=x"}, "eth0", "enx525400770001"},
		{"Hyper-V", []string{"class/net/eth0/device>devices/LNXSYSTM:00/VMBUS:01/f8b3781b"}, "eth0", "enx525400770001"},
		{"software device", []string{"class/net/eth0/mtu=1500"}, "eth0", ""},
	} {
		n := namer{net: &bootspec.Net{}, sys: fakeSys(t, append(tt.entries, enum)...), files: linkFiles(t, nil)}
		all := n.udevNames(eth0).all()
		if got := n.name(eth0); got != tt.want || strings.Join(all, " ") != tt.all {
			t.Errorf("%s: %s, %q, want %s, %q", tt.name, got, all, tt.want, tt.all)
		}
	}
}

// Names in parameters take precedence over udev's.
func TestNamesOfParameters(t *testing.T) {
	for _, tt := range []struct{ line, assigned, want string }{
		{"", "1", "ens3"},
		{"net.ifnames=0", "1", "eth0"},
		{"net.ifnames=1", "1", "ens3"},
		{"iscsi_if=eth0", "1", "eth0"},
		{"iscsi_if=enp0s3", "1", "enp0s3"},
		{"net.ifnames=0 iscsi_if=enp0s3", "1", "enp0s3"},
		{"vlan=vlan5:eth0", "1", "eth0"},
		{"bond=bond0:enx525400770001,eth7", "1", "enx525400770001"},
		{"ifname=boot0:52:54:00:77:00:01 iscsi_if=eth0", "1", "boot0"},
		{"ifname=boot0:52:54:00:77:00:02", "1", "ens3"},
		{"", "2", "eth0"}, // NET_NAME_PREDICTABLE
		{"", "4", "eth0"}, // NET_NAME_RENAMED
		{"", "", "ens3"},  // it cannot be read
		{"net.ifnames=0", "", "eth0"},
	} {
		p, err := bootspec.Parse(words(tt.line))
		if err != nil {
			t.Fatal(err)
		}
		assigned := "class/net/eth0/name_assign_type=" + tt.assigned
		if tt.assigned == "" { // as of 5.10: to read it is an error
			assigned = "class/net/eth0/name_assign_type/none="
		}
		n := namer{net: &p.Net, plannedNames: p.Net.Named(), files: linkFiles(t, nil), sys: fakeSys(t, "class/net/eth0/device>devices/pci0000:00/0000:00:03.0",
			"bus/pci/slots/3/address=0000:00:03", assigned)}
		if got := n.name(eth0); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.line, got, tt.want)
		}
	}
}
