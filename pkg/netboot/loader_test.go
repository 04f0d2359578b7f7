package netboot

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each loader can be chosen by its name; dnsmasq hands out its files, what has to be fetched for it
// is listed, and its banner is a regular expression.
func TestLoaders(t *testing.T) {
	for _, l := range loaders {
		text := strings.Replace(seed, "defaults:", "loader: "+l.Name+"\ndefaults:", 1)
		r := room(t, text)
		if got := r.BootLoader(); got.Name != l.Name {
			t.Errorf("%s: %+v", l.Name, got)
		}
		conf := string(files(t, text)["dnsmasq.conf"].Data)
		for _, want := range []string{"tag:!efi,tag:!arm," + l.bios, "tag:efi,tag:!arm," + l.efi, "tag:arm," + l.arm} {
			if strings.HasSuffix(want, ",") || !strings.Contains(conf, "dhcp-boot="+want+"\n") {
				t.Errorf("%s: no %s in\n%s", l.Name, want, conf)
			}
		}
		if got := strings.Contains(conf, "tag:ipxe,"+l.script); got != (l.script != "") {
			t.Errorf("%s: a script of its own: %v", l.Name, got)
		}
		for _, f := range l.needs {
			if !slices.ContainsFunc(r.Needs(), func(n Need) bool { return n.Path == f.name && n.Loader && strings.Contains(n.How, f.from) }) {
				t.Errorf("%s: %s is not needed", l.Name, f.name)
			}
		}
		if re, err := regexp.Compile(l.Banner); err != nil || re.MatchString("") {
			t.Errorf("%s: banner %q: %v", l.Name, l.Banner, err)
		}
	}
}
