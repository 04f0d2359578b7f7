package ibft

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// maxAttribute bounds a file of sysfs, which has at most a page.
const maxAttribute = 4096

// FromSysfs reads /sys/firmware/ibft, which dir is: what the driver iscsi_ibft shows of a table. It
// is as complete as that: iSNS servers and the like may be missing, and a LUN is clear only if it
// has one level. Errors are as Parse's.
func FromSysfs(dir fs.FS) (Table, error) {
	var t Table
	h := &attributes{fs: dir, dir: "acpi_header"}
	t.OEM, t.Model = text(h.get("oem_id"), oemLen), text(h.get("oem_table_id"), modelLen)
	odd := h.oddities()
	if a, ok := open(dir, "initiator"); ok {
		if i := a.initiator(); a.err == nil {
			t.Initiator = i
		}
		odd = append(odd, a.oddities()...)
	}
	for i := range maxList {
		if a, ok := open(dir, fmt.Sprintf("ethernet%d", i)); ok {
			if n := a.nic(); a.err == nil {
				t.NICs = append(t.NICs, n)
			}
			odd = append(odd, a.oddities()...)
		}
		if a, ok := open(dir, fmt.Sprintf("target%d", i)); ok {
			if g := a.target(); a.err == nil {
				t.Targets = append(t.Targets, g)
			}
			odd = append(odd, a.oddities()...)
		}
	}
	return t, odd.orNil()
}

// attributes reads the files of one directory and keeps the first error, which is why the structure
// is left out, and what is odd. A file that is not there is empty: the driver shows only what is
// set.
type attributes struct {
	fs  fs.FS
	dir string
	err error
	odd Oddities
}

func (a *attributes) oddities() Oddities {
	if a.err != nil {
		return append(a.odd, a.err)
	}
	return a.odd
}

// optional reads what its structure does without where it makes no sense.
func (a *attributes) optional(read func()) {
	if a.err != nil {
		return
	}
	if read(); a.err != nil {
		a.odd, a.err = append(a.odd, a.err), nil
	}
}

// open finds a structure that is marked valid.
func open(dir fs.FS, name string) (*attributes, bool) {
	if _, err := fs.Stat(dir, name); err != nil {
		return nil, false
	}
	a := &attributes{fs: dir, dir: name}
	return a, a.flags()&Valid != 0 || a.err != nil
}

func (a *attributes) fail(file, format string, args ...any) {
	if a.err == nil {
		a.err = fail(-1, path.Join(a.dir, file), format, args...)
	}
}

// get returns a file's text without the newline at its end.
func (a *attributes) get(file string) string {
	b, err := fs.ReadFile(a.fs, path.Join(a.dir, file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		a.fail(file, "%v", err)
	case len(b) > maxAttribute:
		a.fail(file, "%d bytes, limit %d", len(b), maxAttribute)
	default:
		return strings.TrimRight(string(b), "\n\x00")
	}
	return ""
}

func (a *attributes) number(file string, limit uint64) uint64 {
	s := a.get(file)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > limit {
		a.fail(file, "%.20q, want a number from 0 to %d", s, limit)
		return 0
	}
	return n
}

func (a *attributes) u8(file string) uint8 { return uint8(a.number(file, 255)) }
func (a *attributes) flags() Flags         { return Flags(a.u8("flags")) }

func (a *attributes) name(file string, limit int) string {
	s := a.get(file)
	if len(s) > limit || !words.Printable(s) {
		a.fail(file, "want at most %d bytes that can be printed", limit)
		return ""
	}
	return s
}

func (a *attributes) secret(file string) iscsi.Secret {
	s := a.get(file)
	if len(s) > maxString {
		a.fail(file, "%d bytes, limit %d", len(s), maxString)
		return iscsi.Secret{}
	}
	return iscsi.NewSecret([]byte(s))
}

func (a *attributes) addr(file string) netip.Addr {
	s := a.get(file)
	if s == "" {
		return netip.Addr{}
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		a.fail(file, "%.50q is not an address", s)
	}
	return given(ip)
}

func (a *attributes) initiator() Initiator {
	i := Initiator{Flags: a.flags(), Index: a.u8("index"), Name: a.name("initiator-name", maxName)}
	if i.Name == "" {
		a.fail("initiator-name", "no initiator name")
	}
	a.optional(func() {
		i.ISNS, i.SLP = a.addr("isns-server"), a.addr("slp-server")
		i.RADIUS, i.RADIUS2 = a.addr("pri-radius-server"), a.addr("sec-radius-server")
	})
	return i
}

func (a *attributes) nic() NIC {
	n := NIC{Flags: a.flags(), Index: a.u8("index"), Address: a.addr("ip-addr"), Origin: Origin(a.u8("origin"))}
	n.Gateway, n.DHCP = a.addr("gateway"), a.addr("dhcp")
	n.DNS, n.DNS2 = a.addr("primary-dns"), a.addr("secondary-dns")
	n.VLAN = uint16(a.number("vlan", maxVLAN))
	a.optional(func() { n.HostName = a.name("hostname", maxString) })
	if n.Address.IsValid() {
		a.optional(func() { n.PrefixLen = int(a.number("prefix-len", uint64(n.Address.BitLen()))) })
	}
	if s := a.get("mac"); s != "" {
		b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
		if err != nil || len(b) != len(n.MAC) {
			a.fail("mac", "%.20q is not a MAC", s)
		}
		copy(n.MAC[:], b)
	}
	n.PCI = a.pci()
	return n
}

// pci reads the link to the NIC, .../0000:00:03.0; there is none if the kernel did not find it.
func (a *attributes) pci() PCIAddress {
	link, err := fs.ReadLink(a.fs, path.Join(a.dir, "device"))
	if err != nil {
		return 0
	}
	return pciAddress(path.Base(link))
}

// pciAddress reads 0000:00:03.0, domain first; 0 if it is none.
func pciAddress(s string) PCIAddress {
	fields := strings.FieldsFunc(s, func(c rune) bool { return c == ':' || c == '.' })
	if len(fields) != 4 {
		return 0
	}
	var n uint64
	for i, bits := range []int{8, 5, 3} { // bus, device, function
		v, err := strconv.ParseUint(fields[i+1], 16, bits)
		if err != nil {
			return 0
		}
		n = n<<bits | v
	}
	return PCIAddress(n)
}

func (a *attributes) target() Target {
	g := Target{Flags: a.flags(), Index: a.u8("index"), NIC: a.u8("nic-assoc"), CHAP: CHAPType(a.u8("chap-type"))}
	g.Portal = netip.AddrPortFrom(a.addr("ip-addr"), uint16(a.number("port", 65535)))
	g.Name = a.name("target-name", maxName)
	g.LUN = a.lun()
	g.User, g.Secret = a.name("chap-name", maxString), a.secret("chap-secret")
	g.ReverseUser, g.ReverseSecret = a.name("rev-chap-name", maxString), a.secret("rev-chap-name-secret")
	if a.err == nil {
		var odd []error
		odd, a.err = checkTarget(-1, a.dir, &g)
		a.odd = append(a.odd, odd...)
	}
	return g
}

// lun reads the eight bytes that the driver prints with %x each, without leading zeros or
// separators: 01000000 is LUN 1, 010000000 is LUN 16. Only the first two bytes of a LUN of one
// level are other than zero, and of the two ways to read some numbers only one has an addressing
// method in use.
func (a *attributes) lun() iscsi.LUN {
	s := a.get("lun")
	head, ok := strings.CutSuffix(s, "000000")
	for cut := 1; ok && cut < len(head); cut++ {
		hi, err1 := strconv.ParseUint(head[:cut], 16, 8)
		lo, err2 := strconv.ParseUint(head[cut:], 16, 8)
		plain := strconv.FormatUint(hi, 16)+strconv.FormatUint(lo, 16) == head
		if l := iscsi.LUN(hi<<56 | lo<<48); err1 == nil && err2 == nil && plain {
			if _, known := l.Number(); known {
				return l
			}
		}
	}
	a.fail("lun", "%.20q is not a LUN of one level", s)
	return 0
}
