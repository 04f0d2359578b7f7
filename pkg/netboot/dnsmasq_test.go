package netboot

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readDnsmasq splits a configuration into options and their fields, as dnsmasq does (src/option.c:
// read_file, split): what stands in quotes is taken as it is, with \" and \\ in it, a # behind a
// blank begins a comment, and commas separate fields.
func readDnsmasq(text string) (options map[string][][]string, err error) {
	options = map[string][][]string{}
	for line := range strings.Lines(text) {
		var fields []string
		field, quoted, white := "", false, true
		line = strings.TrimSuffix(line, "\n")
	line:
		for i := 0; i < len(line); i++ {
			switch c := line[i]; {
			case quoted && c == '\\' && i+1 < len(line) && strings.IndexByte(`"\`, line[i+1]) >= 0:
				i++
				field += line[i : i+1]
			case quoted && c == '\\':
				return nil, fmt.Errorf("an escape in %q", line)
			case c == '"':
				quoted, white = !quoted, false
			case quoted:
				field += line[i : i+1]
			case c == '#' && white:
				break line
			case c == ',':
				fields, field = append(fields, strings.TrimSpace(field)), ""
			default:
				field, white = field+line[i:i+1], c == ' ' || c == '\t'
			}
		}
		if quoted {
			return nil, fmt.Errorf("a quote does not end: %q", line)
		}
		fields = append(fields, strings.TrimSpace(field))
		key, first, _ := strings.Cut(fields[0], "=")
		if fields[0] = first; key != "" {
			options[key] = append(options[key], fields)
		}
	}
	return options, nil
}

// dhcpHost is an option dhcp-host.
type dhcpHost struct{ mac, tag, address, name string }

// readHost tells the fields apart as dnsmasq does: by their form alone.
func readHost(fields []string) (h dhcpHost, err error) {
	for _, f := range fields {
		isTime := func() bool {
			digits := f
			if len(f) > 1 && strings.ContainsAny(f[len(f)-1:], "wWdDhHmMsS") {
				digits = f[:len(f)-1]
			}
			return strings.Trim(digits, "0123456789 ") == "" && strings.ContainsAny(digits, "0123456789")
		}
		switch addr, isAddr := netip.ParseAddr(f); {
		case strings.HasPrefix(f, "[") && strings.HasSuffix(f, "]"):
			h.address = f[1 : len(f)-1]
		case strings.HasPrefix(f, "set:"):
			h.tag = f[4:]
		case strings.HasPrefix(f, "id:"), strings.HasPrefix(f, "tag:"), strings.HasPrefix(f, "net:"):
			return h, errors.New("another kind of field: " + f)
		case strings.Contains(f, ":"):
			h.mac = f
		case isAddr == nil && addr.Is4():
			h.address = f
		case isTime(), f == "ignore", f == "infinite":
			return h, errors.New("a lease time or keyword: " + f)
		case !isHostName(f) || f != strings.ToLower(f): // IDNA refuses some that are not in lower case
			return h, errors.New("bad DHCP host name: " + f)
		default:
			h.name = f
		}
	}
	return h, nil
}

// FuzzDnsmasq: what dnsmasq reads is what the hosts file has.
func FuzzDnsmasq(f *testing.F) {
	s := usual()
	f.Add(s["name"], s["mac"], s["address"], s["gateway"], s["target"], s["portals"], "http://10.77.0.1/boot", "/srv/netboot")
	f.Add("Ab--c", "02-00-00-00-00-01", "2001:db8::7/64", "fe80::1", "iqn.x:t", "[2001:db8::1]:860", "http://h/a,b", `/srv/a "b\c", #d`)
	f.Add("a", "02-00-00-00-00-01", "10.1.1.165/26", "10.1.1.129", "iqn.x:"+strings.Repeat("t", 217), "10.1.1.180", "", "/")
	f.Add("12h", "00:00:00:00:00:00", "10.1.1.128/26", "10.1.1.165", "iqn.x:#t", "san.example", "http://h/#", "/srv #x")
	f.Add("ignore", "ff:ff:ff:ff:ff:ff", "10.1.1.191/255.255.255.192", "10.1.2.1", "iqn.x:\"t", "0.0.0.0", "http://h:65536", "/")
	f.Fuzz(func(t *testing.T, name, mac, address, gateway, target, portals, http, dir string) {
		s := usual().with("name", name, "mac", mac, "address", address, "gateway", gateway, "target", target, "portals", portals)
		top := fuzzedServer + "loader: ipxe\n"
		if http != "" {
			top += fmt.Sprintf("http: %q\n", http)
		}
		r := s.room(t, top, "")
		if r == nil {
			return
		}
		files, err := r.Files(filepath.Join("/", dir))
		if err != nil {
			return // a directory that the format cannot hold
		}
		i := slices.IndexFunc(files, func(f File) bool { return f.Path == "dnsmasq.conf" })
		got, err := readDnsmasq(string(files[i].Data))
		if err != nil || len(got["dhcp-host"]) != 1 || len(got["tftp-root"]) != 1 {
			t.Fatalf("%q: %q, %v", s, got, err)
		}
		if want := filepath.Join("/", dir, "tftp"); !slices.Equal(got["tftp-root"][0], []string{want}) {
			t.Errorf("TFTP root %q of %q", got["tftp-root"], want)
		}
		if script := r.base() + "/ipxe/boot.ipxe"; http != "" && !slices.ContainsFunc(got["dhcp-boot"], func(f []string) bool { return slices.Equal(f, []string{"tag:ipxe", script}) }) {
			t.Errorf("no %s in %q", script, got["dhcp-boot"])
		}
		h, err := readHost(got["dhcp-host"][0])
		own := r.Hosts[0].Address
		if err != nil || h.mac != s.hardware(t) || h.address != own.Addr().String() || h.name != strings.ToLower(name) {
			t.Fatalf("%+v of %q: %v", h, s, err)
		}
		if len(h.tag) <= 15 { // IFNAMSIZ - 1: the name of a NIC is a tag too
			t.Errorf("tag %s", h.tag)
		}
		routers, paths := 0, 0
		for _, o := range got["dhcp-option"] {
			switch {
			case len(o) == 3 && slices.Equal(o[:2], []string{"tag:" + h.tag, "option:router"}):
				routers++
				if o[2] != gateway {
					t.Errorf("router %s of %q", o[2], s)
				}
			case len(o) == 4 && slices.Equal(o[:3], []string{"tag:" + h.tag, "tag:!ipxe", "option:root-path"}):
				paths++
				s.checkRootPath(t, o[3])
			default:
				t.Errorf("option %q", o)
			}
		}
		if wanted := len(r.Hosts[0].rootPath()) <= 255; (paths == 1) != wanted || wanted == (r.LeftOut() != nil) || (routers == 1) != r.Hosts[0].Gateway.Is4() {
			t.Errorf("%d root paths, %d routers of %q", paths, routers, s)
		}
		subnet := got["dhcp-range"]
		if len(subnet) != 1 || subnet[0][0] != own.Masked().Addr().String() || subnet[0][1] != "static" {
			t.Errorf("ranges %q of %q", subnet, s)
		}
	})
}
