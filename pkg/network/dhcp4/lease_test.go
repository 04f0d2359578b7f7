package dhcp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// recorded returns a message that dnsmasq 2.90 sent, and the exchange it belongs to.
func recorded(t testing.TB, name string) ([]byte, *exchange) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b, exchangeOf(b)
}

func exchangeOf(b []byte) *exchange {
	mac := bytes.Clone(b[28:34])
	return &exchange{
		cfg: Config{Interface: "eth0", MAC: mac},
		ids: []identity{{[]byte{1, 2}, dhcpv4.TransactionID(b[4:8])}},
	}
}

func TestRecorded(t *testing.T) {
	b, x := recorded(t, "dnsmasq-ack.bin")
	r, err := x.parse(b)
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.lease(x)
	if err != nil {
		t.Fatal(err)
	}
	const want = `interface=eth0
method=dhcp
address=10.9.0.83/24
server=10.9.0.1
client-id=0102
lifetime=2m0s
route=10.7.0.0/16 10.9.0.9
route=0.0.0.0/0 10.9.0.1
dns=10.9.0.2
dns=10.9.0.3
ntp=10.9.0.4
search=example.com
search=lab.example.com
domain=example.com
hostname=boot1
mtu=1400
root-path=iscsi:10.9.0.1:::1:iqn.2007-01.com.example:storage.disk1
initiator=iqn.2007-01.com.example:boot1
boot-server=10.9.0.1
boot-file=pxelinux.0
`
	l.Renew, l.Rebind = 0, 0 // dnsmasq draws lots for them
	if diff := cmp.Diff(want, runstate.FormatLease(l)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	stranger := *x
	stranger.cfg.MAC = []byte{1, 2, 3, 4, 5, 6}
	if _, err := stranger.parse(b); !errors.Is(err, errOtherClient) {
		t.Errorf("another's message: %v", err)
	}
}

// with changes a recorded offer.
func with(t testing.TB, options map[uint8][]byte) (dhcp.Lease, error) {
	t.Helper()
	b, x := recorded(t, "dnsmasq-offer.bin")
	m, err := dhcpv4.FromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	for code, value := range options {
		if value == nil {
			delete(m.Options, code)
		} else {
			m.Options[code] = value
		}
	}
	r, err := x.parse(m.ToBytes())
	if err != nil {
		t.Fatal(err)
	}
	return r.lease(x)
}

// Invalid options of a server are left out, and reported.
func TestIgnored(t *testing.T) {
	tests := []struct {
		code  uint8
		value string
		want  string
	}{
		{optHostName, "a;reboot", "host name: a name with the byte 0x3b"},
		{optHostName, "a\x00b", "host name: a name with the byte 0x00"},
		{optDomain, "", "domain: a name of 0 bytes"},
		{optSearch, "\xc0\x00", "search list: a name with a pointer"},
		{optMTU, "\x00\x01", "MTU: bytes 0001"},
		{optMTU, strings.Repeat("x", 1000), "MTU: bytes 78787878"},
		{optDNS, "\x0a\x01\x01", "DNS server: 3 bytes"},
		{optDNS, "\x00\x00\x00\x00", "DNS server: 0.0.0.0 is not a host address"},
		{optRoutes, "\x21\x00\x00\x00\x00\x00\x00\x00\x00\x00", "classless routes: a network of 33 bits"},
		{optRoutes, "\x18\x0a\x01", "classless routes: a network of 24 bits in 2 bytes"},
		{optRoutes, "\x00\xff\xff\xff\xff", "classless routes: 255.255.255.255 is not a host address"},
		{optRoutes, strings.Repeat("\x00\x0a\x01\x01\x01", 33), "classless routes: more than 32"},
		{optInitiator, "iqn.\n", "initiator name: a byte that cannot be printed"},
		{optInitiator, strings.Repeat("i", 224), "initiator name: 224 bytes, limit 223"},
		{optRootPath, strings.Repeat("i", 1025), "root path: 1025 bytes, limit 1024"},
	}
	for _, tt := range tests {
		l, err := with(t, map[uint8][]byte{tt.code: []byte(tt.value)})
		if err != nil || len(l.Ignored) != 1 || !strings.Contains(l.Ignored[0], tt.want) {
			t.Errorf("option %d %q: %q, error %v, want %q", tt.code, tt.value, l.Ignored, err, tt.want)
		}
	}
}

func TestOptions(t *testing.T) {
	// Without a mask that of the class is used; a router is a default route if there are no
	// classless routes, or no valid ones.
	l, err := with(t, map[uint8][]byte{optMask: nil, optRoutes: nil})
	if err != nil || l.Address.Bits() != 8 || l.Gateway().String() != "10.9.0.1" || len(l.Routes) != 1 {
		t.Errorf("%s %v", l, err)
	}
	if l, err = with(t, map[uint8][]byte{optRoutes: {33}}); err != nil || l.Gateway().String() != "10.9.0.1" {
		t.Errorf("%s %v", l, err)
	}
	// Bytes of the root path stay as they are but for NULs at the end.
	if l, err = with(t, map[uint8][]byte{optRootPath: []byte("a\x00b\x00\x00")}); err != nil || l.RootPath != "a\x00b" {
		t.Errorf("%q %v", l.RootPath, err)
	}
	// A root path of several options' length.
	long := "iscsi:10.1.1.1::::iqn." + strings.Repeat("x", 300)
	if l, err = with(t, map[uint8][]byte{optRootPath: []byte(long)}); err != nil || l.RootPath != long {
		t.Errorf("%q %v", l.RootPath, err)
	}
	if l, err = with(t, map[uint8][]byte{optLifetime: {255, 255, 255, 255}}); err != nil || l.Lifetime != dhcp.Infinite || l.Renew != dhcp.Infinite {
		t.Errorf("%s %v", l, err)
	}
	if _, err = with(t, map[uint8][]byte{optLifetime: {0, 0, 0, 9}}); err == nil || !strings.Contains(err.Error(), "it is for 9s") {
		t.Errorf("a lease of 9 s: %v", err)
	}
}

// Options may continue in file and sname (RFC 2132 section 9.3).
func TestOverload(t *testing.T) {
	b, x := recorded(t, "dnsmasq-offer.bin")
	m, err := dhcpv4.FromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	delete(m.Options, optRootPath)
	delete(m.Options, optHostName)
	m.Options[optOverload] = []byte{3}
	m.BootFileName, m.ServerHostName = "\x11\x05iscsi\xff", "\x0c\x05boot2\xff"
	r, err := x.parse(m.ToBytes())
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.lease(x)
	if err != nil || l.RootPath != "iscsi" || l.HostName != "boot2" || l.BootFile != "" {
		t.Errorf("%+v %v", l, err)
	}
}

func TestMask(t *testing.T) {
	for mask, bits := range map[string]int{
		"\xff\xff\xff\x00": 24, "\xff\xff\xff\xff": 32, "\x80\x00\x00\x00": 1,
		"\x00\x00\x00\x00": -1, "\xff\x00\xff\x00": -1, "\x00\xff\xff\xff": -1,
	} {
		l, err := with(t, map[uint8][]byte{optMask: []byte(mask)})
		if (err == nil) != (bits >= 0) || err == nil && l.Address.Bits() != bits {
			t.Errorf("%x: %s, error %v", mask, l.Address, err)
		}
	}
	d := &decoder{}
	for first, want := range map[byte]int{10: 8, 172: 16, 192: 24} {
		if got, err := d.mask(addrs([]byte{first, 1, 1, 1})[0]); err != nil || got != want {
			t.Errorf("class of %d: %d %v", first, got, err)
		}
	}
}

// frame makes a packet to the client's port.
func frame(message []byte) []byte {
	b := wrap(message)
	binary.BigEndian.PutUint16(b[ipLen+2:], clientPort)
	binary.BigEndian.PutUint16(b[ipLen+6:], 0)
	binary.BigEndian.PutUint16(b[ipLen+6:], ^udpSum(b, ipLen))
	return b
}

func TestUnwrap(t *testing.T) {
	good := frame([]byte("hello"))
	if m, ok := unwrap(good, true); !ok || string(m) != "hello" {
		t.Errorf("%q %v", m, ok)
	}
	change := func(at int, c byte) []byte {
		b := bytes.Clone(good)
		b[at] ^= c
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], ^sum(b[:ipLen], 0))
		return b
	}
	bad := map[string][]byte{
		"nothing": nil, "short": good[:27], "cut off": good[:30], "IPv6": change(0, 4<<4^6<<4), "header": change(0, 1),
		"TCP": change(9, 17^6), "fragment": change(6, 0x20), "UDP length": change(25, 0x40), "UDP too short": change(25, 13^7),
		"port": change(23, 1), "checksum": change(30, 1), "IP checksum": func() []byte { b := bytes.Clone(good); b[8]--; return b }(),
	}
	for name, b := range bad {
		if m, ok := unwrap(b, true); ok {
			t.Errorf("%s: %q", name, m)
		}
	}
	if _, ok := unwrap(bad["checksum"], false); !ok {
		t.Error("a message whose checksum is left to the card is refused")
	}
	if _, ok := unwrap(wrap([]byte("odd")), true); ok {
		t.Error("a message to the servers is taken")
	}
}

func FuzzUnwrap(f *testing.F) {
	b, err := os.ReadFile("testdata/dnsmasq-offer.bin")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame(b))
	f.Add(frame([]byte("odd")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := unwrap(b, true); ok && !bytes.Contains(b, m) {
			t.Fatal("bytes that are not of the packet")
		}
	})
}

// The law: a lease that was taken is written so that it is read the same.
func FuzzLease(f *testing.F) {
	for _, name := range []string{"dnsmasq-offer.bin", "dnsmasq-ack.bin"} {
		b, _ := recorded(f, name)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 40 {
			return
		}
		x := exchangeOf(b)
		r, err := x.parse(b)
		if err != nil {
			return
		}
		l, err := r.lease(x)
		if err != nil {
			return
		}
		l.RootPath = l.ShownRootPath()
		again, err := runstate.ParseLease(runstate.FormatLease(l))
		if err != nil || runstate.FormatLease(again) != runstate.FormatLease(l) {
			t.Fatalf("%v: %s\nbecomes %s", err, runstate.FormatLease(l), runstate.FormatLease(again))
		}
	})
}
