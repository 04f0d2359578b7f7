package netboot

import (
	"fmt"
	"strings"
	"testing"
)

// readPXELINUX reads a configuration as PXELINUX does (com32/elflink/ldlinux/readconfig.c): a
// directive and its text on each line. Of initrd= in APPEND the last one counts.
func readPXELINUX(text string) (def string, labels map[string]boot, said []string, err error) {
	labels, label := map[string]boot{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, " ")
		value = strings.TrimSpace(value)
		b := labels[label]
		switch strings.ToUpper(key) {
		case "", "PROMPT", "IPAPPEND":
		case "DEFAULT":
			def = value
		case "SAY":
			said = append(said, value)
			if len(line) > 1024 {
				return "", nil, nil, fmt.Errorf("a line of %d bytes", len(line))
			}
		case "LABEL":
			if _, twice := labels[value]; twice || value == "" {
				return "", nil, nil, fmt.Errorf("label %q twice, or empty", value)
			}
			label = value
			labels[label] = boot{}
			continue
		case "LINUX":
			b.kernel = strings.TrimPrefix(value, "/")
		case "APPEND":
			for word := range strings.FieldsSeq(value) {
				if files, ok := strings.CutPrefix(word, "initrd="); ok {
					b.initrds = nil
					for f := range strings.SplitSeq(files, ",") {
						b.initrds = append(b.initrds, strings.TrimPrefix(f, "/"))
					}
					continue
				}
				b.args = append(b.args, word)
			}
		default:
			if key[0] != '#' {
				return "", nil, nil, fmt.Errorf("directive %q", key)
			}
		}
		labels[label] = b
	}
	delete(labels, "")
	return def, labels, said, nil
}

// FuzzPXELINUX: what PXELINUX reads is what the hosts file has.
func FuzzPXELINUX(f *testing.F) {
	s := usual()
	f.Add(s["name"], s["target"], s["kernel"], s["initrd"], s["root"], s["append"], s["portals"])
	f.Add("Default", "iqn.x:t", "/vmlinuz.0", "a/b.c32", "", "-- 3 # x", "[2001:db8::1]:860")
	f.Add("label", "eui.0123456789abcdef", "say", "append", "UUID=x", "initrd=x,y -", "san.example")
	f.Fuzz(func(t *testing.T, name, target, kernel, initrd, root, more, portals string) {
		s := usual().with("name", name, "target", target, "kernel", kernel, "initrd", initrd, "root", root, "append", more, "portals", portals)
		r := s.room(t, fuzzedServer, "")
		if r == nil {
			return
		}
		for _, own := range []string{name, ""} {
			def, labels, _, err := readPXELINUX(pxelinux(r.Hosts, own))
			if err != nil || def != own || len(labels) != 1 {
				t.Fatalf("%q: %q, %+v, %v", s, def, labels, err)
			}
			s.check(t, labels[name])
		}
	})
}

// The machines of a large room do not make a line that PXELINUX cuts, behind which it would take
// the rest for a directive.
func TestLongSay(t *testing.T) {
	var hosts []Host
	var names []string
	for i := range 1000 {
		h := room(t, seed).Hosts[0]
		h.Name = fmt.Sprintf("label-%d", i)
		hosts, names = append(hosts, h), append(names, h.Name)
	}
	_, labels, said, err := readPXELINUX(pxelinux(hosts, ""))
	if err != nil || len(labels) != len(hosts) || !strings.HasSuffix(strings.Join(said, " "), ": "+strings.Join(names, " ")) {
		t.Errorf("%d labels, %v, says %.300q", len(labels), err, said)
	}
}
