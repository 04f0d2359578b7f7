package linkfile

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A root as Debian's packages and its administrator leave it.
func TestRead(t *testing.T) {
	files, errs := Read(os.DirFS("testdata/root"))
	if len(errs) > 0 {
		t.Error(errs)
	}
	want := []*File{
		{
			Path: "/etc/systemd/network/10-lan.link", Name: "san0", Undone: []string{"[Link] MTUBytes=", "[Link] WakeOnLan="},
			Match: map[string][]string{MAC: {"52:54:00:77:00:01", "52:54:00:77:00:0a"}, Type: {"ether"}},
		},
		{Path: "/etc/systemd/network/20-vm.link", Name: "vm0", Match: map[string][]string{PermanentMAC: {"00:50:56:c0:00:01"}}},
		{
			Path: "/etc/systemd/network/30-intel.link", Policies: []string{Onboard, ByPath}, Undone: []string{"[SR-IOV]"},
			Match: map[string][]string{
				Driver: {"e1000*", "igb", "ixgbe"}, Path: {"pci-0000:0[2-3]:*"}, OriginalName: {"!eth7", "!wlan*"},
			},
		},
		{
			Path: "/etc/systemd/network/40-virt.link", Name: "guest0",
			Match: map[string][]string{OriginalName: {"*"}, "Virtualization": {"kvm"}, "Property": {"!ID_BUS=usb"}},
		},
		{
			Path: "/usr/lib/systemd/network/73-usb-net-by-mac.link", Policies: []string{ByMAC},
			Match: map[string][]string{Path: {"*-usb-*"}},
		},
		{
			Path: "/usr/lib/systemd/network/99-default.link", Policies: []string{ByMAC}, // by the drop-in
			Match: map[string][]string{OriginalName: {"*"}},
		},
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Error(diff)
	}
}

// The files of a distribution and those that represent them are the same.
func TestDefaults(t *testing.T) {
	for name, text := range defaults {
		b, err := os.ReadFile("testdata/root/usr/lib/systemd/network/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Parse("x", string(b)), Parse("x", text)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestReadPrecedence(t *testing.T) {
	file := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("[Match]\nOriginalName=*\n[Link]\nName=" + name + "\n")}
	}
	null := &fstest.MapFile{Mode: os.ModeDevice | os.ModeCharDevice}
	for _, tt := range []struct {
		name string
		root fstest.MapFS
		want string // paths and names
		err  string
	}{
		{"an image without files", fstest.MapFS{}, "the default 73-usb-net-by-mac.link=, the default 99-default.link=", ""},
		{
			"by directory",
			fstest.MapFS{
				"lib/systemd/network/10-a.link": file("a5"), "usr/lib/systemd/network/10-a.link": file("a4"),
				"usr/lib/systemd/network/99-default.link": file("x"), "lib/systemd/network/73-usb-net-by-mac.link": file("y"),
				"usr/local/lib/systemd/network/10-a.link": file("a3"), "run/systemd/network/10-a.link": file("a2"),
				"run/systemd/network/05-b.link": file("b"), "etc/systemd/network/10-a.network": file("n"),
			},
			"/run/systemd/network/05-b.link=b, /run/systemd/network/10-a.link=a2, /lib/systemd/network/73-usb-net-by-mac.link=y, /usr/lib/systemd/network/99-default.link=x", "",
		},
		{
			"masked", fstest.MapFS{
				"etc/systemd/network/99-default.link": null, "usr/lib/systemd/network/99-default.link": file("x"),
				"etc/systemd/network/10-a.link": {}, "usr/lib/systemd/network/10-a.link": file("a"),
			}, "the default 73-usb-net-by-mac.link=", "",
		},
		{
			"drop-ins", fstest.MapFS{
				"etc/systemd/network/10-a.link.d/20.conf": {Data: []byte("[Link]\nName=second\n")}, "usr/lib/systemd/network/10-a.link": file("a"),
				"run/systemd/network/10-a.link.d/10.conf": {Data: []byte("[Link]\nName=first\n")}, "usr/lib/systemd/network/10-a.link.d/30.conf": null,
				"usr/lib/systemd/network/10-a.link.d/20.conf":  {Data: []byte("[Link]\nName=hidden\n")},
				"etc/systemd/network/99-default.link.d/x.conf": {Data: []byte("[Link]\nNamePolicy=\nName=nic\n")},
			}, "/usr/lib/systemd/network/10-a.link=second, the default 73-usb-net-by-mac.link=, the default 99-default.link=nic", "",
		},
		{
			"too large",
			fstest.MapFS{"etc/systemd/network/10-a.link": {Data: make([]byte, MaxFile+1)}, "etc/systemd/network/73-usb-net-by-mac.link": {}},
			"the default 99-default.link=", "etc/systemd/network/10-a.link: larger than 64 KiB: ignored",
		},
		{"a directory", fstest.MapFS{"etc/systemd/network/99-default.link/x": {}, "etc/systemd/network/73-usb-net-by-mac.link": {}}, "the default 99-default.link=", ""},
	} {
		files, errs := Read(tt.root)
		var got, err []string
		for _, f := range files {
			got = append(got, f.Path+"="+f.Name)
		}
		for _, e := range errs {
			err = append(err, e.Error())
		}
		if strings.Join(got, ", ") != tt.want || strings.Join(err, ", ") != tt.err {
			t.Errorf("%s: %q, %q", tt.name, got, err)
		}
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text string
		want File
	}{
		{"", File{}},
		{"[Match]\nDriver=a\nDriver= b  c \n", File{Match: map[string][]string{Driver: {"a", "b", "c"}}}},
		{"[Match]\nDriver=a\nDriver=\nDriver=b", File{Match: map[string][]string{Driver: {"b"}}}},
		{"[Match]\nMACAddress=52:54:00:77:00:01\nMACAddress=\n", File{}},
		{"[Match]\nDriver=! a 'b c'\n", File{Match: map[string][]string{Driver: {"!a", "!b c"}}}},
		{"[Match]\nDriver=a 'b c\n", File{Match: map[string][]string{Driver: {"a"}}, Wrong: []string{"Driver=a 'b c"}}},
		{"[Match]\nMACAddress=x 52:54:00:77:00:01\n", File{Match: map[string][]string{MAC: {"52:54:00:77:00:01"}}, Wrong: []string{"MACAddress=x"}}},
		{"[Match]\nMACAddress=2:4-5:1:1:1 1:2:3:4:5 ::::: 1234.5678.9abx 1:2:3:4:5:678 1:2:3:4:5:A\n", File{
			Match: map[string][]string{MAC: {"01:02:03:04:05:0a"}},
			Wrong: []string{"MACAddress=2:4-5:1:1:1", "MACAddress=1:2:3:4:5", "MACAddress=:::::", "MACAddress=1234.5678.9abx", "MACAddress=1:2:3:4:5:678"},
		}},
		{"[Match]\nHost=a\nArchitecture=arm64\nHost=\n", File{Match: map[string][]string{"Architecture": {"arm64"}}}},
		{"[Match]\nName=eth0\n", File{Undone: []string{"[Match] Name="}}}, // systemd.network(5)'s key
		{"[Link]\nName=a\n  Name = b  \n", File{Name: "b"}},
		{"[Link]\nName=a/b\nName=c", File{Name: "c", Wrong: []string{"Name=a/b"}}},
		{"[Link]\nName=12\nName=sixteen-letters-\nName=all\n", File{Wrong: []string{"Name=12", "Name=sixteen-letters-", "Name=all"}}},
		{"[Link]\nName=a\nName=", File{}},
		{"[Link]\nNamePolicy=keep path path nonsense\n", File{Policies: []string{Keep, ByPath}, Wrong: []string{"NamePolicy=nonsense"}}},
		{"[Link]\nNamePolicy=keep\nNamePolicy=mac\n", File{Policies: []string{ByMAC}}},
		{"[Link]\nNamePolicy=keep\nNamePolicy=\n", File{}},
		{"[Link]\nMACAddressPolicy=random\nX-Ours=1\nAlias=a\n[X-Ours]\na=b\n", File{Undone: []string{"[Link] MACAddressPolicy="}}},
		{"\ufeff[Link]\r\nName=\\\r\n;c\n a\n", File{Name: "a"}},
		{"[Link]\nName=a\\\\\n", File{Name: `a\\`}}, // two backslashes end no line early
		{"Name=a\n[Link\nName\n", File{Wrong: []string{"Name=a", "[Link", "Name"}}},
	} {
		if diff := cmp.Diff(&tt.want, Parse("", tt.text), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q: %s", tt.text, diff)
		}
	}
}

func TestOf(t *testing.T) {
	card := NIC{
		MAC: "52:54:00:77:00:01", PermanentMAC: "52:54:00:77:00:01", OriginalName: "eth0", Driver: "virtio_net",
		Path: "pci-0000:00:03.0", Type: "ether",
	}
	for _, tt := range []struct {
		match string
		want  bool
	}{
		{"", false},
		{"OriginalName=*", true},
		{"MACAddress=52-54-00-77-00-01", true},
		{"MACAddress=52:54:00:77:00:02 5254.0077.0001", true},
		{"MACAddress=52:54:00:77:00:02", false},
		{"MACAddress=!52:54:00:77:00:02", false}, // addresses have no '!'
		{"PermanentMACAddress=52:54:00:77:00:01", true},
		{"OriginalName=eth1 eth[0-9]", true},
		{"OriginalName=!eth*", false},
		{"OriginalName=!wlan* usb*", true},
		{"OriginalName=eth*\nOriginalName=!eth0", false},
		{"Driver=e1000 virtio*", true},
		{"Driver=e1000", false},
		{"Path=pci-0000:00:*", true},
		{"Path=*-usb-*", false},
		{"Type=ether\nDriver=virtio_net", true},
		{"Type=ether\nDriver=e1000", false},
		{"Type=!wlan", true},
		{"Kind=veth", false},
		{"Kind=*", false},
		{"Kind=!veth", true},
	} {
		files := []*File{Parse("a", "[Match]\n"+tt.match)}
		if got, _ := Of(files, card); (got != nil) != tt.want {
			t.Errorf("%q: %v", tt.match, got)
		}
	}
}

// A file whose conditions are unknown applies to no NIC, and is reported where it would.
func TestOfUnjudged(t *testing.T) {
	files := []*File{
		Parse("a", "[Match]\nHost=x\nDriver=e1000"), Parse("b", "[Match]\nHost=x"), Parse("c", "[Match]\nDriver=virtio_net"), Parse("d", "[Match]\nHost=x"),
	}
	got, unjudged := Of(files, NIC{Driver: "virtio_net"})
	if got != files[2] || files[1].Conditions() != "Host=" || len(unjudged) != 1 || unjudged[0] != files[1] {
		t.Errorf("%v, %v", got, unjudged)
	}
}
