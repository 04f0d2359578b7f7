package netboot

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// hostFields are the fields of a machine, in the order in which they are described in
// iscsiroot-netboot(7).
var hostFields = []string{
	"name", "mac", "address", "gateway", "interface", "initiator", "target", "portals", "lun", "chap", "root", "kernel", "initrd",
	"append", "disk", "shared",
}

// hostReader reads one machine.
type hostReader struct {
	*reader

	section, defaults section
	secrets           secretFunc
	name              string
	expand            *strings.Replacer
}

// failf reports a mistake in a field, with the line where its value stands.
func (r *hostReader) failf(line int, key, format string, args ...any) {
	if line == 0 {
		line = r.section.line
	}
	r.reader.failf(line, r.name, key, format, args...)
}

// values returns what a field has for this machine, with {name}, {mac} and {ip} filled in, and its
// line.
func (r *hostReader) values(key string) (values []string, line int) {
	f, ok := r.section.fields[key]
	if !ok {
		f = r.defaults.fields[key]
	}
	for _, t := range f.list {
		v := t.value
		if r.expand != nil {
			v = r.expand.Replace(v)
		}
		if key != "chap" && !plain(v) {
			r.failf(f.line, key, "%s has a line break, a quote or another character that is special to boot loaders: remove it", strconv.Quote(v))
			return nil, f.line
		}
		if key != "append" && key != "chap" && strings.Contains(v, " ") {
			r.failf(f.line, key, "%s has a blank: write one word", strconv.Quote(v))
			return nil, f.line
		}
		if !slices.Contains([]string{"append", "chap", "target", "initiator"}, key) && hasSecret(v) { // these have checks of their own
			r.failf(f.line, key, "%s: a secret is not allowed here: use chap", v)
			return nil, f.line
		}
		values = append(values, v)
	}
	return values, f.line
}

// hasSecret tells whether there is a secret in a value, apart from what looks as one because of an
// @, which labels and paths may have.
func hasSecret(v string) bool {
	v = strings.ReplaceAll(v, "@", "")
	return bootspec.Redact(v) != v
}

// value returns the only value of a field.
func (r *hostReader) value(key string, required bool) (value string, line int) {
	values, line := r.values(key)
	switch {
	case len(values) > 1:
		r.failf(line, key, "a list: write one value")
	case len(values) == 1 && values[0] != "":
		return values[0], line
	case required && !r.has(key):
		r.failf(0, key, "it is not given")
	case required && len(values) == 1:
		r.failf(line, key, "it is empty")
	}
	return "", line
}

func (r *hostReader) has(key string) bool {
	_, own := r.section.fields[key]
	_, inherited := r.defaults.fields[key]
	return own || inherited
}

// host reads all fields.
func (r *hostReader) host() Host {
	var h Host
	r.known(r.section, "", "host")
	h.Name = r.hostName()
	r.name = h.Name
	h.MAC = r.mac()
	h.Address = r.address()
	r.expand = strings.NewReplacer("{name}", h.Name, "{mac}", h.dashes(), "{ip}", h.Address.Addr().String())
	h.Gateway = r.gateway(h.Address)
	h.Interface, _ = r.value("interface", false)
	h.Initiator, h.Target = r.iscsiName("initiator"), r.iscsiName("target")
	portals, line := r.portals()
	h.LUN = r.lun()
	h.Root, _ = r.value("root", false)
	h.Kernel, h.Initrd = r.file("kernel"), r.file("initrd")
	h.Append = r.more()
	h.Disk = r.disk()
	if v, at := r.value("shared", false); v != "" && v != "true" && v != "false" {
		r.failf(at, "shared", "use true or false")
	}
	r.chap(&h)
	r.check(&h, portals, line)
	return h
}

// hostName reads the name, which also names files.
func (r *hostReader) hostName() string {
	name, line := r.value("name", true)
	if !isHostName(name) {
		r.failf(line, "name", "%s is not a host name: write up to 63 letters, digits and hyphens", strconv.Quote(name))
		return ""
	}
	if what := dnsmasqTakes(name); what != "" {
		r.failf(line, "name", "%s is %s to dnsmasq: write another name, such as host-%s", name, message(what), name)
		return ""
	}
	return name
}

func (r *hostReader) mac() string {
	text, line := r.value("mac", true)
	if text == "" {
		return ""
	}
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 || bytes.Equal(mac, make([]byte, 6)) {
		r.failf(line, "mac", "%s is not an address of a network card: write it as aa:bb:cc:dd:ee:ff", text)
		return ""
	}
	return mac.String()
}

// address takes what iscsi_i_ip= takes.
func (r *hostReader) address() netip.Prefix {
	text, line := r.value("address", true)
	if text == "" {
		return netip.Prefix{}
	}
	own, _, _ := strings.Cut(text, "/")
	if addr, err := netip.ParseAddr(own); err == nil && notServer(addr) != "" {
		r.failf(line, "address", "%s is %s: write the machine's own", text, notServer(addr))
		return netip.Prefix{}
	}
	plan, err := bootspec.Parse(cmdline.Parse("iscsi_i_ip=" + text))
	if err != nil || !plan.Net.Address.Given() {
		r.failf(line, "address", "%s is not an address with a mask: write 10.1.1.165/26 or 10.1.1.165/255.255.255.192", text)
		return netip.Prefix{}
	}
	if why := notInSubnet(plan.Net.Address.V, plan.Net.Address.V.Addr()); why != "" {
		r.failf(line, "address", "%s is %s: write the machine's own", text, why)
	}
	return plan.Net.Address.V
}

func (r *hostReader) gateway(own netip.Prefix) netip.Addr {
	text, line := r.value("gateway", false)
	if text == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		r.failf(line, "gateway", "%s is not an IP address: write the router's", text)
		return netip.Addr{}
	}
	r.checkGateway(addr, own, line)
	return addr
}

// portals returns what iscsi_a= gets.
func (r *hostReader) portals() (joined string, line int) {
	values, line := r.values("portals")
	if len(values) == 0 || slices.Contains(values, "") {
		r.failf(line, "portals", "it is not given")
	}
	return strings.Join(values, ","), line
}

func (r *hostReader) lun() iscsi.LUN {
	text, line := r.value("lun", false)
	if text == "" {
		return iscsi.LUN(0)
	}
	lun, err := iscsi.ParseLUN(text)
	if err != nil {
		r.failf(line, "lun", "%s is not a LUN: write a number from 0", text)
	}
	return lun
}

// file reads a path in the tree.
func (r *hostReader) file(key string) string {
	name, line := r.value(key, true)
	if name == "" {
		return ""
	}
	clean := strings.TrimPrefix(path.Clean("/"+name), "/")
	if clean != strings.TrimPrefix(name, "/") || strings.ContainsAny(name, ",#?%") || strings.Contains(name, "::") {
		r.failf(line, key, "%s is not a path in the tree: write it without .., //, a comma, ::, #, ? and %%", name)
	}
	return clean
}

// disk reads what the target serves.
func (r *hostReader) disk() string {
	name, line := r.value("disk", false)
	if name != "" && (!path.IsAbs(name) || path.Clean(name) != name || name == "/" || strings.Contains(name, "#")) {
		r.failf(line, "disk", "%s is not a path of a file or device on the target: begin with a slash, and write it without .., //, # and a slash at the end", name)
	}
	return name
}

// chap reads the secret for the machine's target.
func (r *hostReader) chap(h *Host) {
	file, line := r.value("chap", false)
	if file == "" {
		return
	}
	data, err := r.secrets(file)
	if err == nil {
		h.CHAP, h.secret, err = credential(data, h.Target)
	}
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.As(err, &errno): // what names no file may be a secret
		r.failf(line, "chap", "it names no file that can be read: write the name of one with a line TARGET USER SECRET")
	case err != nil:
		r.failf(line, "chap", "%s: %v", file, err)
	}
}

// check reads the command line as init will, and counts as the kernel does.
func (r *hostReader) check(h *Host, portals string, line int) {
	if portals == "" || h.Initiator == "" || h.Target == "" || !h.Address.IsValid() {
		return // told already
	}
	plan, err := bootspec.Parse(cmdline.Parse("iscsi_t=x iscsi_a=" + portals))
	if err != nil || len(plan.Targets) != 1 {
		r.failf(line, "portals", "%s: write IP addresses or host names, with :PORT if need be, and IPv6 in brackets then", portals)
		return
	}
	for _, p := range plan.Targets[0].Portals {
		h.Portals = append(h.Portals, p.V)
	}
	r.checkPortals(h.Portals, h.Address, line)
	r.checkImages(h)
	text := h.commandLine()
	plan, err = bootspec.Parse(cmdline.Parse(text))
	if err == nil {
		err = plan.Check()
	}
	if err != nil {
		r.failf(0, "", "%s", message(strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	for _, w := range plan.Warnings {
		r.failf(0, "", "%s", message(w))
	}
	known := bootspec.NewVocabulary()
	for _, p := range cmdline.Parse(h.Append).Params {
		if known.Secret(p) {
			r.failf(0, "append", "%s is a secret, and this file is public: use chap", message(known.ShowKey(p.Key)))
		}
	}
	// PXELINUX and GRUB add BOOT_IMAGE=, PXELINUX also BOOTIF= and initrd=.
	added := " BOOT_IMAGE=" + h.Kernel + " BOOTIF=01-" + h.dashes() + " initrd=" + strings.Join(h.initrds(), ",")
	for _, limit := range cmdline.Limits(text+added, cmdline.KernelKnows) {
		r.failf(0, "append", "%s", message(limit))
	}
}

// checkImages sees that the files that a machine loads have names of their own: under EFI, iPXE
// hands them to the kernel by the last part of their paths.
func (r *hostReader) checkImages(h *Host) {
	files := append([]string{h.Kernel}, h.initrds()...)
	for i, name := range files {
		if name != "" && slices.ContainsFunc(files[:i], func(other string) bool { return path.Base(other) == path.Base(name) }) {
			r.failf(0, "initrd", "%s has the name of another file that this host loads: write another name", h.Initrd)
			return
		}
	}
}
