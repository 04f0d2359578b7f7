package kmod

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// debian is cut from the index of Debian's linux-image-6.1.0-56-amd64: whole lines, as depmod wrote
// them.
func debian(t testing.TB) *Index {
	t.Helper()
	x, err := Read(os.DirFS("testdata/debian"))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// tree makes an index from the text of its files.
func tree(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func paths(mods []Module) string {
	var b strings.Builder
	for _, m := range mods {
		b.WriteString(strings.TrimPrefix(m.Path, "kernel/") + "\n")
	}
	return b.String()
}

// TestPlanOfDebian holds what modprobe --show-depends prints for the whole tree, each module once;
// crc32c before iscsi_tcp is from requested.
func TestPlanOfDebian(t *testing.T) {
	x := debian(t)
	for name, want := range map[string]string{
		"ext4": "arch/x86/crypto/crc32c-intel.ko crypto/crc32c_generic.ko fs/jbd2/jbd2.ko fs/mbcache.ko lib/crc16.ko fs/ext4/ext4.ko",
		"iscsi-tcp": "arch/x86/crypto/crc32c-intel.ko crypto/crc32c_generic.ko drivers/scsi/scsi_common.ko drivers/scsi/scsi_mod.ko drivers/scsi/scsi_transport_iscsi.ko " +
			"drivers/scsi/libiscsi.ko drivers/scsi/libiscsi_tcp.ko drivers/scsi/iscsi_tcp.ko",
		"pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00": "drivers/virtio/virtio_ring.ko drivers/virtio/virtio.ko " +
			"drivers/virtio/virtio_pci_modern_dev.ko drivers/virtio/virtio_pci_legacy_dev.ko drivers/virtio/virtio_pci.ko",
		"r8169": "drivers/net/phy/libphy.ko drivers/net/phy/realtek.ko drivers/net/phy/mdio_devres.ko " +
			"drivers/net/ethernet/realtek/r8169.ko",
		"ipmi_msghandler": "drivers/char/ipmi/ipmi_msghandler.ko drivers/char/ipmi/ipmi_devintf.ko",
		"md5":             "", // built in, by an alias of modules.builtin.modinfo
		"sha1_generic":    "", // built in
	} {
		mods, err := x.Plan(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want = strings.ReplaceAll(want, " ", "\n")
		if want != "" {
			want += "\n"
		}
		if diff := cmp.Diff(want, paths(mods)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSoftIsMarked(t *testing.T) {
	steps, err := debian(t).Steps("fs-ext3")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if want := strings.HasPrefix(s.Name, "crc32c_"); s.Soft != want {
			t.Errorf("%s: soft %v, want %v", s.Name, s.Soft, want)
		}
	}
	// A soft dependency of one root that another root needs is needed.
	steps, err = debian(t).Steps("ext4", "crc32c_generic")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if s.Name == "crc32c_generic" && s.Soft {
			t.Error("crc32c_generic was requested and is marked as soft")
		}
	}
}

func TestMatchOfDebian(t *testing.T) {
	x := debian(t)
	for alias, want := range map[string]string{
		"virtio:d00000001v00001AF4":                             "drivers/net/virtio_net.ko\n",
		"pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00": "drivers/net/ethernet/intel/e1000/e1000.ko\n",
		"vmbus:635161f83edfc546913ff2d2f965ed0e":                "drivers/net/hyperv/hv_netvsc.ko\n",
		"xen:vif":                                               "drivers/net/xen-netfront.ko\n",
		"fs-ext2":                                               "fs/ext4/ext4.ko\n",
		"crypto-crc32c":                                         "arch/x86/crypto/crc32c-intel.ko\ncrypto/crc32c_generic.ko\n",
		"crypto-md5":                                            "",
		"pci:v0000":                                             "",
		"":                                                      "",
		"nothing":                                               "",
	} {
		if diff := cmp.Diff(want, paths(x.Match(alias))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", alias, diff)
		}
	}
}

func TestLookup(t *testing.T) {
	x := debian(t)
	for _, c := range []struct {
		name, path  string
		builtin, ok bool
	}{
		{"crc32c-intel", "kernel/arch/x86/crypto/crc32c-intel.ko", false, true},
		{"chacha_x86-64", "kernel/arch/x86/crypto/chacha-x86_64.ko", false, true},
		{"sha1-generic", "", true, true},
		{"nothing", "", false, false},
		{"", "", false, false},
	} {
		m, builtin, ok := x.Lookup(c.name)
		if m.Path != c.path || builtin != c.builtin || ok != c.ok {
			t.Errorf("%s: %v %v %v, want %v %v %v", c.name, m.Path, builtin, ok, c.path, c.builtin, c.ok)
		}
	}
}

func TestUnknownName(t *testing.T) {
	_, err := debian(t).Plan("ext4", "nvme9")
	var missing *NotFoundError
	if !errors.As(err, &missing) || missing.Name != "nvme9" || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	if want := "module nvme9: not in the module tree"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestBuiltinWinsOverFile(t *testing.T) {
	x, err := Read(tree(map[string]string{
		depFile:     "kernel/a.ko: kernel/b.ko\nkernel/b.ko:\n",
		builtinFile: "kernel/b.ko\n",
		aliasFile:   "alias x:* b\nalias x:* a\nalias y:* b\nalias z:* gone\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := paths(x.Modules()); got != "a.ko\n" {
		t.Errorf("modules: %q", got)
	}
	if mods, err := x.Plan("a"); err != nil || paths(mods) != "a.ko\n" {
		t.Errorf("plan of a: %v, %v", mods, err)
	}
	if got := paths(x.Match("x:1")); got != "a.ko\n" {
		t.Errorf("match: %q", got)
	}
	if mods, ok := x.Resolve("y:1"); !ok || mods != nil {
		t.Errorf("alias of a built-in module: %v %v", mods, ok)
	}
	for name, want := range map[string]bool{"a": false, "b": true, "x:1": true, "y:1": true, "z:1": false} {
		if x.BuiltinOrBlacklisted(name) != want {
			t.Errorf("excluded %s: %v", name, !want)
		}
	}
	if _, ok := x.Resolve("z:1"); ok {
		t.Error("an alias of a module that is not there was resolved")
	}
}

func TestKind(t *testing.T) {
	x := debian(t)
	for name, want := range map[string]Kind{
		"virtio_net": KindEthernet, "e1000": KindEthernet, "xen_netfront": KindEthernet, "hv_netvsc": KindEthernet,
		"ax88179_178a": KindEthernet, "realtek": KindEthernet, "net_failover": KindEthernet,
		"virtio_pci": KindBus, "virtio_mmio": KindBus, "hv_vmbus": KindBus, "xhci_pci": KindBus, "uhci_hcd": KindBus,
		"virtio_blk": KindOther, "sd_mod": KindOther, "ath9k": KindOther, "vcan": KindOther, "qmi_wwan": KindOther,
		"usbcore": KindOther,
	} {
		m, _, ok := x.Lookup(name)
		if !ok || m.Kind() != want {
			t.Errorf("%s (%s): %v, want %v", name, m.Path, m.Kind(), want)
		}
	}
}

func TestAliases(t *testing.T) {
	x := debian(t)
	m, _, _ := x.Lookup("virtio_net")
	if diff := cmp.Diff([]string{"virtio:d00000001v*"}, x.Aliases(m)); diff != "" {
		t.Error(diff)
	}
}
