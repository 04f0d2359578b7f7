package ibft_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// tree makes a file system of a listing of /sys/firmware/ibft: lines of FILE name "content" and
// LINK name target.
func tree(listing []byte) fstest.MapFS {
	out := fstest.MapFS{}
	for line := range strings.Lines(string(listing)) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, content, _ := strings.Cut(rest, " ")
		if !fs.ValidPath(name) {
			continue
		}
		switch kind {
		case "FILE":
			if text, err := strconv.Unquote(content); err == nil {
				out[name] = &fstest.MapFile{Data: []byte(text)}
			}
		case "LINK":
			if !strings.HasSuffix(name, "/device") { // MapFS follows a link to itself without end
				continue
			}
			out[name] = &fstest.MapFile{Mode: fs.ModeSymlink | 0o777, Data: []byte(content)}
		}
	}
	return out
}

// The kernel's form of a table has the same values as its bytes, except those that the kernel
// leaves out.
func TestFromSysfs(t *testing.T) {
	for _, name := range []string{"ipxe", "ipxe-chap", "twopaths"} {
		want, err := ibft.Parse(read(t, name+".bin"))
		if err != nil {
			t.Fatal(err)
		}
		want.Failover = false
		if name == "twopaths" { // captured where there were no such NICs
			want.NICs[0].PCI, want.NICs[1].PCI = 0, 0
		}
		got, err := ibft.FromSysfs(tree(read(t, name+".sysfs")))
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, got, equal()); diff != "" {
			t.Errorf("%s: -bytes +sysfs:\n%s", name, diff)
		}
	}
}

// What iPXE left in the memory of a machine that it booted.
func TestIPXE(t *testing.T) {
	got, err := ibft.Parse(read(t, "ipxe-chap.bin"))
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddr
	want := ibft.Table{
		OEM: "FENSYS", Model: "iPXE",
		Initiator: ibft.Initiator{Flags: ibft.Valid | ibft.BootSelected, Name: "iqn.2007-01.com.example:boot1"},
		NICs: []ibft.NIC{{
			Flags: ibft.Valid | ibft.BootSelected, Address: address("10.0.2.15"), PrefixLen: 24, Origin: ibft.OriginDHCP,
			Gateway: address("10.0.2.2"), DNS: address("10.0.2.3"), DHCP: address("10.0.2.2"),
			MAC: [6]byte{0x52, 0x54, 0, 0x12, 0x34, 0x56}, PCI: 3 << 3, HostName: "boot1",
		}},
		Targets: []ibft.Target{{
			Flags: ibft.Valid | ibft.BootSelected, Portal: netip.MustParseAddrPort("10.0.2.2:3260"), LUN: iscsi.MakeLUN(1),
			Name: "iqn.2007-01.com.example:storage.disk1", CHAP: ibft.MutualCHAP, User: "boot1", Secret: secret("sesame-open-12"),
			ReverseUser: "store1", ReverseSecret: secret("reverse-open-34"),
		}},
	}
	if diff := cmp.Diff(want, got, equal()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	g := got.Targets[0]
	if string(g.Secret.Bytes()) != "sesame-open-12" || string(g.ReverseSecret.Bytes()) != "reverse-open-34" {
		t.Error("the secrets are not what was set")
	}
	if !got.NICs[0].ByDHCP() || !g.Flags.Booted() {
		t.Error("the NIC had its address by DHCP, and the target was booted from")
	}
}

func TestBadSysfs(t *testing.T) {
	tests := []struct{ file, content, want string }{
		{"ethernet0/vlan", "4095", `ethernet0/vlan: "4095", want a number from 0 to 4094`},
		{"ethernet0/mac", "52:54", `ethernet0/mac: "52:54" is not a MAC`},
		{"ethernet0/ip-addr", "10.1.1", `ethernet0/ip-addr: "10.1.1" is not an address`},
		{"ethernet0/prefix-len", "33", `want a number from 0 to 32`},
		{"ethernet0/flags", "x", `ethernet0/flags`},
		{"initiator/initiator-name", "iqn.\x01", `initiator/initiator-name: want at most 223 bytes`},
		{"target0/lun", "00000001", `target0/lun: "00000001" is not a LUN of one level`},
		{"target0/chap-secret", strings.Repeat("s", 256), `target0/chap-secret: 256 bytes, limit 255`},
		{"target0/chap-secret", "", `target0: CHAP without user or secret`},
		{"target0/port", "0", `target0: port 0`},
		{"target0/target-name", strings.Repeat("n", 4097), `target0/target-name: 4097 bytes, limit 4096`},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			dir := tree(read(t, "ipxe-chap.sysfs"))
			dir[tt.file] = &fstest.MapFile{Data: []byte(tt.content)}
			_, err := ibft.FromSysfs(dir)
			var e *ibft.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
		})
	}
}

// A NIC that is elsewhere than on PCI, or that the kernel did not find.
func TestSysfsPCI(t *testing.T) {
	for link, want := range map[string]ibft.PCIAddress{
		"../../0000:02:1f.7": 0x2ff, "../../10000:00:03.0": 0x18, "../../virtio0": 0, "0000:00:20.0": 0, "a:b:c:d": 0,
	} {
		dir := tree(read(t, "ipxe.sysfs"))
		dir["ethernet0/device"].Data = []byte(link)
		if got, err := ibft.FromSysfs(dir); err != nil || got.NICs[0].PCI != want {
			t.Errorf("%s: %v %v, want %v", link, got.NICs, err, want)
		}
	}
}

// Without separators only LUNs of one level can be parsed.
func TestSysfsLUN(t *testing.T) {
	tests := []struct {
		text string
		want iscsi.LUN
	}{
		{"00000000", 0},
		{"01000000", iscsi.MakeLUN(1)},
		{"010000000", iscsi.MakeLUN(16)},
		{"0ff000000", iscsi.MakeLUN(255)},
		{"410000000", iscsi.MakeLUN(256)},
		{"4110000000", iscsi.MakeLUN(0x110)},
	}
	for _, tt := range tests {
		dir := tree(read(t, "ipxe.sysfs"))
		dir["target0/lun"] = &fstest.MapFile{Data: []byte(tt.text + "\n")}
		got, err := ibft.FromSysfs(dir)
		if err != nil || got.Targets[0].LUN != tt.want {
			t.Errorf("%s: %v %v, want %v", tt.text, got.Targets, err, tt.want)
		}
	}
}

// memory is a /dev/mem in which one part cannot be read.
type memory struct {
	*bytes.Reader
	deny int64
}

func (m memory) ReadAt(b []byte, at int64) (int, error) {
	if m.deny != 0 && at == m.deny {
		return 0, fs.ErrPermission
	}
	return m.Reader.ReadAt(b, at)
}

func TestFind(t *testing.T) {
	table := read(t, "ipxe-chap.bin")
	low := make([]byte, 1<<20)
	copy(low[0x9e620:], table)
	copy(low[0x90000:], "iBFT") // no table: its length is 0
	high := make([]byte, 1<<20)
	copy(high[0xd0010:], table)
	acpi := fstest.MapFS{"firmware/acpi/tables/iBFT": {Data: read(t, "twopaths.bin")}}
	driver := fstest.MapFS{}
	for name, f := range tree(read(t, "ipxe.sysfs")) {
		driver["firmware/ibft/"+name] = f
	}
	tests := []struct {
		name   string
		sys    fstest.MapFS
		memory *memory
		from   string
		target string
		err    error
	}{
		{"nowhere", nil, nil, "", "", ibft.ErrNone},
		{"empty memory", nil, &memory{Reader: bytes.NewReader(make([]byte, 1<<20))}, "", "", ibft.ErrNone},
		{"short memory", nil, &memory{Reader: bytes.NewReader(nil)}, "", "", ibft.ErrNone},
		{"locked memory", nil, &memory{bytes.NewReader(low), ibft.LowMemoryStart}, "", "", fs.ErrPermission},
		{"ACPI", acpi, &memory{Reader: bytes.NewReader(low)}, "ACPI table iBFT", "disk1", nil},
		{"driver", driver, &memory{Reader: bytes.NewReader(low)}, "iscsi_ibft", "disk1", nil},
		{"memory", nil, &memory{Reader: bytes.NewReader(low)}, "memory at 0x9e620", "disk1", nil},
		{"memory behind the screen's", nil, &memory{bytes.NewReader(high), ibft.LowMemoryStart}, "memory at 0xd0010", "disk1", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.sys == nil {
				tt.sys = fstest.MapFS{}
			}
			var got ibft.Table
			var from string
			var err error
			if tt.memory == nil {
				got, from, err = ibft.Find(tt.sys, nil)
			} else {
				got, from, err = ibft.Find(tt.sys, tt.memory)
			}
			if !errors.Is(err, tt.err) || from != tt.from {
				t.Fatalf("from %q, error %v", from, err)
			}
			if tt.err == nil && !strings.HasSuffix(got.Targets[0].Name, tt.target) {
				t.Errorf("got %v", got)
			}
		})
	}
	unreadable := fstest.MapFS{"firmware/acpi/tables/iBFT": {Mode: fs.ModeDir}}
	if _, _, err := ibft.Find(unreadable, nil); err == nil || errors.Is(err, ibft.ErrNone) {
		t.Errorf("a table that cannot be read: %v", err)
	}
}

func FuzzFromSysfs(f *testing.F) {
	for _, name := range []string{"ipxe", "ipxe-chap", "twopaths"} {
		f.Add(read(f, name+".sysfs"))
	}
	f.Fuzz(func(t *testing.T, listing []byte) {
		table, err := ibft.FromSysfs(tree(listing))
		var e *ibft.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%v is not a *Error", err)
		}
		// Whatever was accepted fits into a table of bytes.
		again, err := ibft.Parse(encode(t, table))
		if diff := cmp.Diff(table, again, equal()); diff != "" || err != nil {
			t.Fatalf("error %v, -sysfs +bytes:\n%s", err, diff)
		}
	})
}
