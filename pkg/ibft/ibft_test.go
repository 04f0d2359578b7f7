package ibft_test

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/ibft/ibfttest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

var update = flag.Bool("update", false, "write testdata/twopaths.bin")

// equal lets cmp look into addresses; a Secret compares itself.
func equal() cmp.Option {
	return cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})
}

func secret(s string) iscsi.Secret { return iscsi.NewSecret([]byte(s)) }

// rich has two targets, a VLAN, IPv6 and every field of a table.
func rich() ibft.Table {
	a := netip.MustParseAddr
	return ibft.Table{
		OEM: "EXAMPL", Model: "TWOPATHS", Failover: true,
		Initiator: ibft.Initiator{
			Flags: ibft.Valid | ibft.BootSelected, Name: "iqn.2007-01.com.example:boot1",
			ISNS: a("10.1.1.3"), SLP: a("10.1.1.4"), RADIUS: a("10.1.1.5"), RADIUS2: a("2001:db8::5"),
		},
		NICs: []ibft.NIC{
			{
				Flags: ibft.Valid | ibft.BootSelected, Address: a("10.1.1.165"), PrefixLen: 26, Origin: ibft.OriginDHCP,
				Gateway: a("10.1.1.129"), DNS: a("10.1.1.2"), DNS2: a("10.1.1.1"), DHCP: a("10.1.1.130"), VLAN: 100,
				MAC: [6]byte{0x52, 0x54, 0, 0x12, 0x34, 0x56}, PCI: 3 << 3, HostName: "boot1",
			},
			{
				Flags: ibft.Valid, Index: 1, Address: a("2001:db8:1::165"), PrefixLen: 64, Origin: ibft.OriginManual,
				Gateway: a("fe80::1"), MAC: [6]byte{0x52, 0x54, 0, 0x12, 0x34, 0x57}, PCI: 2<<8 | 31<<3 | 7,
			},
		},
		Targets: []ibft.Target{
			{
				Flags: ibft.Valid | ibft.BootSelected, Portal: netip.MustParseAddrPort("10.1.1.180:3260"), LUN: iscsi.MakeLUN(1),
				Name: "iqn.2007-01.com.example:storage.disk1", CHAP: ibft.MutualCHAP,
				User: "boot1", Secret: secret("sesame-open-12"), ReverseUser: "store1", ReverseSecret: secret("reverse-open-34"),
			},
			{
				Flags: ibft.Valid, Index: 1, Portal: netip.MustParseAddrPort("[2001:db8:1::180]:3261"), LUN: iscsi.MakeLUN(300),
				Name: "iqn.2007-01.com.example:storage.disk2", NIC: 1, CHAP: ibft.OneWayCHAP, User: "boot1", Secret: secret("sesame-open-56"),
			},
		},
	}
}

func encode(t testing.TB, table ibft.Table) []byte {
	t.Helper()
	b, err := ibfttest.Encode(table)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is encoded is read as it was, and without secrets in its text.
func TestRoundTrip(t *testing.T) {
	var many ibft.Table
	for i := range 5 {
		many.Targets = append(many.Targets, rich().Targets[i%2])
		many.NICs = append(many.NICs, rich().NICs[i%2], rich().NICs[1])
	}
	for name, want := range map[string]ibft.Table{"rich": rich(), "empty": {}, "many": many} {
		got, err := ibft.Parse(encode(t, want))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, equal()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if text := fmt.Sprintf("%+v %#v", got, got); strings.Contains(text, "-open-") {
			t.Errorf("%s: the secret is in %s", name, text)
		}
	}
}

// The bytes of what a firmware of two paths leaves are kept, so that a change of the encoder is
// seen, and for QEMU's -acpitable.
func TestTwoPaths(t *testing.T) {
	b := encode(t, rich())
	if *update {
		if err := os.WriteFile("testdata/twopaths.bin", b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, "twopaths.bin"); string(want) != string(b) {
		t.Error("testdata/twopaths.bin differs from what is encoded: run with -update to write it")
	}
}

// put changes bytes and corrects the checksum.
func put(b []byte, at int, bytes ...byte) []byte {
	b = append([]byte(nil), b...)
	copy(b[at:], bytes)
	b[9] = 0
	var sum byte
	for _, c := range b[:min(len(b), int(binary.LittleEndian.Uint32(b[4:])))] {
		sum += c
	}
	b[9] = -sum
	return b
}

// Where the structures of rich are: 48 bytes of header, 18 of control padded to 24, 74 of the
// initiator padded to 80, and then the NICs' 102 to 104 and the targets' 54 to 56 in turn.
const (
	initiatorAt = 72
	nic0At      = initiatorAt + 80
	target0At   = nic0At + 104
	nic1At      = target0At + 56
	target1At   = nic1At + 104
)

func TestBadTables(t *testing.T) {
	good := encode(t, rich())
	tests := []struct {
		name   string
		b      []byte
		offset int
		want   string
	}{
		{"nothing", nil, 0, "too short"},
		{"another table", put(good, 0, 'F', 'A', 'C', 'P'), 0, `signature "FACP"`},
		{"cut off", good[:len(good)-1], 4, "length"},
		{"length too small", put(good, 4, 50, 0), 4, "length 50, want 66 to"},
		{"length too large", put(good, 4, 0, 0, 0, 0x10), 4, "length 268435456"},
		{"checksum", append(append([]byte{}, good[:9]...), append([]byte{good[9] + 1}, good[10:]...)...), 9, "add up to 0x01"},
		{"no control", put(good, 48, 2), 48, "control at byte 48: type 2, want 1"},
		{"short control", put(good, 50, 17), 50, "length 17, want 18"},
		{"long control", put(good, 50, 0xff, 0xff), 50, "beyond the table's end"},
		{"offset outside", put(good, 56, 0xff, 0xff), 0xffff, "outside of the table"},
		{"offset into header", put(good, 56, 4, 0), 4, "outside of the table"},
		{"short initiator", put(good, initiatorAt+2, 10), initiatorAt + 2, "initiator at byte 74: length 10, want 74"},
		{"name outside", put(good, initiatorAt+72, 0xf0, 0xff), initiatorAt + 72, "outside of the table"},
		{"name too long", put(good, initiatorAt+70, 225, 0, 48, 0), initiatorAt + 72, "a string of 225 bytes, limit 223"},
		{"name unprintable", put(good, initiatorAt+70, 9, 0, 48, 0), initiatorAt + 72, "cannot be printed"},
		{"NIC too long a prefix", put(good, nic0At+22, 33), nic0At + 22, "NIC 0 at byte 174: prefix length 33, an address has 32 bits"},
		{"NIC's VLAN", put(good, nic0At+88, 0xff, 0x0f), nic0At + 88, "VLAN 4095"},
		{"target without name", put(good, target0At+34, 0, 0), target0At, "no target name"},
		{"target without address", put(good, target0At+6, make([]byte, 16)...), target0At, "no address of target"},
		{"target's port", put(good, target0At+22, 0, 0), target0At, "port 0"},
		{"target's CHAP type", put(good, target0At+32, 3), target0At, "CHAP type 3"},
		{"target without secret", put(good, target0At+42, 0, 0), target0At, "CHAP without user or secret"},
		{"target without reverse secret", put(good, target0At+50, 0, 0), target0At, "mutual CHAP without the target's secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ibft.Parse(tt.b)
			var e *ibft.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want %q", err, tt.want)
			}
			if e.Offset != tt.offset {
				t.Errorf("offset %d, want %d", e.Offset, tt.offset)
			}
			if strings.Contains(err.Error(), "-open-") {
				t.Errorf("the secret is in %v", err)
			}
		})
	}
}

// One structure that makes no sense does not take the others with it, and what is not marked valid,
// or not known, is not there.
func TestPartOfTable(t *testing.T) {
	good := encode(t, rich())
	got, err := ibft.Parse(put(good, nic0At+88, 0xff, 0x0f))
	if err == nil || len(got.NICs) != 1 || len(got.Targets) != 2 || got.NICs[0].VLAN != 0 {
		t.Errorf("a bad VLAN: %v\n%v", err, got)
	}
	got, err = ibft.Parse(put(good, target1At+5, 0))
	if err != nil || len(got.Targets) != 1 {
		t.Errorf("an invalid target: %v\n%v", err, got)
	}
	got, err = ibft.Parse(put(good, nic1At, 5))
	if err != nil || len(got.NICs) != 1 {
		t.Errorf("an extension: %v\n%v", err, got)
	}
	// CHAP that is not to be used leaves nothing behind.
	got, err = ibft.Parse(put(good, target0At+32, 0))
	if err != nil || got.Targets[0].User != "" || !got.Targets[0].Secret.Empty() || !got.Targets[0].ReverseSecret.Empty() {
		t.Errorf("no CHAP: %v\n%v", err, got)
	}
	got, err = ibft.Parse(put(good, nic0At+6, []byte(strings.Repeat("\xff", 16))...))
	if err != nil || got.NICs[0].Address.IsValid() {
		t.Errorf("an address of ones: %v\n%v", err, got)
	}
}

func TestEncodeLimits(t *testing.T) {
	nic := rich().NICs[0]
	nic.HostName = strings.Repeat("x", 4096)
	var big ibft.Table
	for range 32 {
		big.NICs = append(big.NICs, nic)
	}
	if _, err := ibfttest.Encode(big); err == nil {
		t.Error("a table above 64 KiB: no error")
	}
	if _, err := ibfttest.Encode(ibft.Table{NICs: make([]ibft.NIC, 33)}); err == nil {
		t.Error("33 NICs: no error")
	}
}

func TestPrefix(t *testing.T) {
	tests := []struct {
		addr string
		bits int
		want string
	}{
		{"10.1.1.1", 24, "10.1.1.1/24"},
		{"10.1.1.1", 0, ""},
		{"2001:db8::1", 64, "2001:db8::1/64"},
		{"2001:db8::1", 0, "2001:db8::1/128"},
		{"", 24, ""},
	}
	for _, tt := range tests {
		n := ibft.NIC{PrefixLen: tt.bits}
		if tt.addr != "" {
			n.Address = netip.MustParseAddr(tt.addr)
		}
		p, ok := n.Prefix()
		if ok != (tt.want != "") || ok && p.String() != tt.want {
			t.Errorf("%s with %d bits: %v %v", tt.addr, tt.bits, p, ok)
		}
	}
	if s := ibft.CHAPType(7).String(); s != "CHAP type 7" {
		t.Error(s)
	}
}

// The law: what Parse understood, Encode writes so that it is read the same.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"ipxe.bin", "ipxe-chap.bin", "twopaths.bin"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		if len(b) >= 48 { // the checksum would stop most
			b = put(b, 0)
		}
		table, err := ibft.Parse(b)
		var e *ibft.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%v is not a *Error", err)
		}
		again, err := ibft.Parse(encode(t, table))
		if err != nil {
			t.Fatalf("what was encoded is not read: %v", err)
		}
		if diff := cmp.Diff(table, again, equal()); diff != "" {
			t.Fatalf("-first +again:\n%s", diff)
		}
	})
}
