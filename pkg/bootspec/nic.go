package bootspec

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// bootNIC refers to the NIC of BOOTIF= where a parameter has a NIC's name. initramfs-tools accepts
// it in ip= (scripts/functions: configure_networking), and MAAS uses it; here every parameter
// accepts it.
const bootNIC = "BOOTIF"

// bootif reads the MAC that PXELINUX and iPXE add. A value that is not a MAC is ignored with a
// warning.
func (ps *parser) bootif(p cmdline.Param) error {
	mac, ok := readMAC(p.Value)
	if !ok && (len(p.Value) == 12 || len(p.Value) == 14) { // iPXE's ${net0/mac:hexraw}
		mac, ok = readMAC(strings.Join(pairs(p.Value), ":"))
	}
	if !ok {
		ps.warnf("%s is not a MAC and is ignored", showWord(p))
		return nil
	}
	set(ps, &ps.boot, mac, p)
	return nil
}

func (ps *parser) useBootif(p cmdline.Param) error {
	ps.noBootif = off(p.Value)
	return nil
}

// nameBootNIC replaces BOOTIF as a NIC's name in parameters by the MAC of BOOTIF=. rd.bootif=0 does
// not change that: with it BOOTIF= does not choose the NIC of the boot.
func (ps *parser) nameBootNIC() {
	n := &ps.plan.Net
	if !ps.boot.Given() {
		return
	}
	n.eachNIC(func(nic *string, _ string) {
		if n.isBootNIC(*nic) {
			*nic = ps.boot.V
		}
	})
	for i := range n.IP {
		if ip := &n.IP[i].V; ip.Device == ps.boot.V {
			ip.MAC, ip.Device = ip.Device, ""
		}
	}
	ps.plan.eachPathNIC(func(nic *NIC, _ string) {
		if n.isBootNIC(nic.Name) {
			*nic = NIC{MAC: ps.boot.V}
		}
	})
}

// eachPathNIC calls f for every NIC that a parameter names for paths.
func (p *Plan) eachPathNIC(f func(nic *NIC, from string)) {
	each := func(list []Value[NIC]) {
		for i := range list {
			f(&list[i].V, list[i].From)
		}
	}
	each(p.Multipath.NICs)
	for i := range p.Targets {
		each(p.Targets[i].PortalNICs)
	}
}

// checkBootNIC returns an error for each parameter that names BOOTIF without a MAC.
func (p *Plan) checkBootNIC() error {
	var errs []error
	reported := ""
	n := &p.Net
	active := *n
	active.IP = slices.DeleteFunc(slices.Clone(n.IP), func(v Value[IP]) bool { return v.V.Methods[0] == Off })
	check := func(nic *string, from string) {
		if n.isBootNIC(*nic) && from != reported {
			reported = from
			errs = append(errs, &BootNICError{from})
		}
	}
	active.eachNIC(check)
	p.eachPathNIC(func(nic *NIC, from string) { check(&nic.Name, from) })
	return errors.Join(errs...)
}

// eachNIC calls f for every NIC that a parameter names.
func (n *Net) eachNIC(f func(nic *string, from string)) {
	f(&n.BootDevice.V, n.BootDevice.From)
	f(&n.Interface.V, n.Interface.From) // before the lines of ip=, which may repeat it
	for i := range n.IP {
		f(&n.IP[i].V.Device, n.IP[i].From)
	}
	for i := range n.VLANs {
		f(&n.VLANs[i].V.Parent, n.VLANs[i].From)
	}
	for _, v := range n.Groups {
		for j := range v.V.Members {
			f(&v.V.Members[j], v.From)
		}
	}
	for i := range n.Routes {
		f(&n.Routes[i].V.Device, n.Routes[i].From)
	}
}

// isBootNIC reports whether a name is BOOTIF, and not that of a device.
func (n *Net) isBootNIC(nic string) bool {
	return isBootNIC(nic) && !n.creates(nic) && n.macOf(nic) == ""
}

// isBootNIC reports whether a name is BOOTIF, in letters of any case, as in anaconda's
// ksdevice=bootif.
func isBootNIC(nic string) bool { return strings.EqualFold(nic, bootNIC) }

// BootNICError reports that a parameter names BOOTIF as a NIC, whose MAC is not given.
type BootNICError struct{ From string }

// Error implements error.
func (e *BootNICError) Error() string {
	return fmt.Sprintf("%s names %s as the NIC, and no %s= gives its MAC: write %s=01-52-54-00-12-34-56, as PXELINUX's IPAPPEND 2 does, or the NIC's name",
		e.From, bootNIC, bootNIC, bootNIC)
}

// device reads a NIC's name or MAC. enx and a MAC is a udev name, which the NIC does not have yet,
// and all is klibc's word for any.
func (r *ipReader) device(s string) {
	if s == "all" {
		return
	}
	mac, ok := readMAC(bare(s))
	if hex, is := strings.CutPrefix(s, "enx"); is && len(hex) == 12 {
		mac, ok = readMAC(strings.Join(pairs(hex), ":"))
	}
	if ok {
		r.ip.MAC = mac
		return
	}
	if !isInterface(s) || isAddress(s) { // in the wrong place
		r.failf("%s is not a NIC name", show(s))
	}
	r.ip.Device = s
}

// readNIC reads a NIC's name or its MAC, which is returned with colons. NetworkManager's initrd
// generator accepts both for every NIC.
func readNIC(s string) (string, bool) {
	if mac, ok := readMAC(s); ok {
		return mac, true
	}
	return s, isInterface(s)
}

func pairs(s string) []string {
	var out []string
	for len(s) >= 2 {
		out, s = append(out, s[:2]), s[2:]
	}
	return out
}

// readMAC reads six groups of hex with colons or hyphens, in any mixture: some boot loaders put
// PXELINUX's 01- before a MAC with colons. Of seven groups the first is the hardware type (RFC
// 826).
func readMAC(s string) (string, bool) {
	s = strings.ReplaceAll(s, "-", ":")
	if hwtype, mac, ok := strings.Cut(s, ":"); ok && strings.Count(mac, ":") == 5 && isByte(hwtype) {
		s = mac
	}
	return parseMAC(s)
}

// parseMAC reads six bytes in hex with colons and returns them in the kernel's form.
func parseMAC(s string) (string, bool) {
	groups := strings.Split(s, ":")
	if len(groups) != 6 {
		return "", false
	}
	for _, g := range groups {
		if !isByte(g) {
			return "", false
		}
	}
	return strings.ToLower(s), true
}

// isByte reports whether a group is two hex digits.
func isByte(s string) bool {
	_, err := strconv.ParseUint(s, 16, 8)
	return err == nil && len(s) == 2
}

// isInterface reports whether the kernel accepts a NIC's name (net/core/dev.c: dev_valid_name). An
// @ is not accepted: ip(8) puts it between a device and its lower device, and users put it between
// a secret and a host.
func isInterface(s string) bool {
	return s != "" && len(s) <= maxInterface && s != "." && s != ".." &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '/' || r == ':' || r == '@' || r >= 0x7f })
}
