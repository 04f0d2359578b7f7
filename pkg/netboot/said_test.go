package netboot

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// said is a machine of a hosts file, field by field, as it is written there. The fuzz targets of
// the formats begin with it: what is read back from a format is what it has, or it is refused.
type said map[string]string

// usual is a machine like the HOWTO's.
func usual() said {
	return said{
		"name": "remote1", "mac": "aa:bb:cc:dd:ee:fe", "address": "10.1.1.165/26", "gateway": "10.1.1.129",
		"initiator": "iqn.2007-01.com.example:server.remote1", "target": "iqn.2007-01.com.example:storage.remote1",
		"portals": "10.1.1.180:3261", "lun": "2", "root": "LABEL=root", "kernel": "remote/vmlinuz-6.1.0", "initrd": "remote/initrd.img",
		"append": "quiet console=ttyS0", "disk": "/srv/remote1.img",
	}
}

// with returns a machine that has other values in some fields: key, value, key, value...
func (s said) with(pairs ...string) said {
	s = maps.Clone(s)
	for i := 0; i < len(pairs); i += 2 {
		s[pairs[i]] = pairs[i+1]
	}
	return s
}

// yaml is the machine as a hosts file; the server's fields stand before it.
func (s said) yaml(top string) string {
	var b strings.Builder
	b.WriteString(top + "hosts:\n")
	mark := "  - "
	for _, key := range slices.Sorted(maps.Keys(s)) {
		quoted, err := json.Marshal(s[key])
		if err != nil {
			panic(err) // a string
		}
		fmt.Fprintf(&b, "%s%s: %s\n", mark, key, quoted)
		mark = "    "
	}
	return b.String()
}

const fuzzedServer = "server: 10.77.0.1\n"

// room reads the machine; nil if it is refused, which has to name the host or the field. line is
// what the file of secrets has behind the target; empty: there is no such file.
func (s said) room(t testing.TB, top, line string) *Room {
	t.Helper()
	for _, v := range s {
		if !utf8.ValidString(v) || strings.ContainsAny(v, "{\u2028\u2029") {
			return nil // is not YAML, or is filled in
		}
	}
	if line != "" {
		s = s.with("chap", "secrets")
	}
	r, err := parse("hosts.yaml", []byte(s.yaml(top)), func(string) ([]byte, error) { return []byte(s["target"] + " " + line + "\n"), nil })
	if err == nil {
		return r
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	for _, err := range joined.Unwrap() {
		var e *Error
		if !errors.As(err, &e) || e.File == "" || e.Cause == "" || e.Host == "" && e.Field == "" && e.Line == 0 {
			t.Errorf("an error without its place: %v", err)
		}
	}
	return nil
}

// boot is what a boot loader does.
type boot struct {
	kernel  string   // path in the tree
	initrds []string // paths in the tree
	args    []string // of the kernel, without what the loader adds
}

// check sees that a boot is that of the machine.
func (s said) check(t *testing.T, got boot) {
	t.Helper()
	initrds := []string{strings.TrimPrefix(s["initrd"], "/")}
	if s["chap"] != "" {
		initrds = append(initrds, "secrets/"+s["name"]+".img")
	}
	if got.kernel != strings.TrimPrefix(s["kernel"], "/") || !slices.Equal(got.initrds, initrds) {
		t.Errorf("loads %q and %q of %q", got.kernel, got.initrds, s)
	}
	plan, err := bootspec.Parse(cmdline.Parse(strings.Join(got.args, " ")))
	if err != nil || len(plan.Targets) != 1 {
		t.Fatalf("%q: %+v, %v", got.args, plan.Targets, err)
	}
	target := plan.Targets[0]
	if plan.Initiator.V != strings.ToLower(s["initiator"]) && plan.Initiator.V != s["initiator"] || target.Name.V != strings.ToLower(s["target"]) && target.Name.V != s["target"] {
		t.Errorf("initiator %q, target %q of %q", plan.Initiator.V, target.Name.V, s)
	}
	if want, err := netip.ParsePrefix(s["address"]); err == nil && plan.Net.Address.V != want {
		t.Errorf("address %v of %q", plan.Net.Address.V, s)
	}
	if want, err := netip.ParseAddr(s["gateway"]); err == nil && plan.Net.Gateway.V != want {
		t.Errorf("gateway %v of %q", plan.Net.Gateway.V, s)
	}
	more := strings.Fields(s["append"])
	if len(more) > len(got.args) || !slices.Equal(got.args[len(got.args)-len(more):], more) {
		t.Errorf("ends in %q of %q", got.args, s)
	}
	if s["root"] != "" && !slices.Contains(got.args, "root="+s["root"]) {
		t.Errorf("no root in %q of %q", got.args, s)
	}
}

// portal is how a root path names the machine's first portal.
func (s said) portal(t *testing.T) bootspec.Portal {
	t.Helper()
	first, _, _ := strings.Cut(s["portals"], ",")
	p, err := bootspec.ParsePortal(first)
	if err != nil {
		t.Fatalf("%q was accepted: %v", s["portals"], err)
	}
	if p.Port == 0 {
		p.Port = bootspec.DefaultPort
	}
	return p
}

// checkRootPath reads a root path as RFC 4173 defines it.
func (s said) checkRootPath(t *testing.T, text string) {
	t.Helper()
	plan, err := bootspec.Parse(cmdline.Parse("netroot=" + text))
	if err != nil || len(plan.Targets) != 1 || len(plan.Targets[0].Portals) != 1 {
		t.Fatalf("%s: %+v, %v", text, plan.Targets, err)
	}
	target := plan.Targets[0]
	if !strings.EqualFold(target.Name.V, s["target"]) || target.Portals[0].V != s.portal(t) {
		t.Errorf("root path %s of %q", text, s)
	}
	if diff := cmp.Diff(s["lun"], target.LUN.V.String()); s["lun"] != "" && target.LUN.V.String() != "0" && len(s["lun"]) < 4 && s["lun"][0] != '0' && diff != "" {
		t.Errorf("LUN (-want +got):\n%s", diff)
	}
}

// hardware is the machine's MAC.
func (s said) hardware(t *testing.T) string {
	t.Helper()
	mac, err := net.ParseMAC(s["mac"])
	if err != nil {
		t.Fatal(err)
	}
	return mac.String()
}
