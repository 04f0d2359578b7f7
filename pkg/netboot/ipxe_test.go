package netboot

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// readIPXE splits a script into commands and their words, as iPXE does (src/core/exec.c:
// split_command, command_terminator): there are no quotes, and a word with # begins a comment.
func readIPXE(text string) (commands [][]string, err error) {
	rest, ok := strings.CutPrefix(text, "#!ipxe\n")
	if !ok {
		return nil, fmt.Errorf("not a script: %.20q", text)
	}
	for line := range strings.Lines(rest) {
		words := strings.Fields(line)
		if i := slices.IndexFunc(words, func(w string) bool { return w[0] == '#' }); i >= 0 {
			words = words[:i]
		}
		for _, w := range words {
			if strings.Contains(w, "${") || w == "||" || w == "&&" || w == ";" {
				return nil, fmt.Errorf("%q means more than itself", w)
			}
		}
		if len(words) > 0 {
			commands = append(commands, words)
		}
	}
	return commands, nil
}

// readBoot reads the commands that load and boot. base is the URL of the tree.
func readBoot(commands [][]string, base string) (b boot, err error) {
	inTree := func(text string) string {
		u, err := url.Parse(text)
		if err != nil || u.RawQuery != "" || u.Fragment != "" {
			return "not a file: " + text
		}
		root, err := url.Parse(base)
		if err != nil || u.Scheme != root.Scheme || u.Host != root.Host {
			return "not of this server: " + text
		}
		return strings.TrimPrefix(strings.TrimPrefix(u.Path, root.Path), "/")
	}
	var names []string
	for _, words := range commands {
		switch {
		case words[0] == "kernel" && len(words) > 2:
			b.kernel = inTree(words[1])
			for _, w := range words[2:] {
				if name, ok := strings.CutPrefix(w, "initrd="); ok {
					names = append(names, name)
				} else {
					b.args = append(b.args, w)
				}
			}
		case words[0] == "initrd" && len(words) == 4 && words[1] == "--name":
			b.initrds = append(b.initrds, inTree(words[3]))
			if len(names) == 0 || names[0] != words[2] {
				return b, fmt.Errorf("image %s has no place in the command line, %q", words[2], names)
			}
			names = names[1:]
		case len(words) == 1 && words[0] == "boot":
		default:
			return b, fmt.Errorf("command %q", words)
		}
	}
	if len(names) > 0 || len(b.args) == 0 {
		return b, fmt.Errorf("images %q are not loaded", names)
	}
	b.args = b.args[:len(b.args)-1] // BOOTIF=
	return b, nil
}

// FuzzIPXE: what iPXE reads is what the hosts file has, in both of its scripts; what the script of
// sanhook cannot hold makes it stop.
func FuzzIPXE(f *testing.F) {
	s := usual()
	f.Add(s["name"], s["target"], s["kernel"], s["initrd"], s["append"], s["portals"], "user", "twelve-bytes-12", "http://10.77.0.1/boot")
	f.Add("a", "iqn.x:t", "a#b", "c?d", "#x y", "[2001:db8::1]:860", "a b", "two  blanks #", "http://[2001:db8::2]:8080")
	f.Add("a", "iqn.x:t", "a%20b", "x/vmlinuz", "quiet", "san.example:70000", "", "${x}", "http://u:p@h:99999/?#")
	f.Fuzz(func(t *testing.T, name, target, kernel, initrd, more, portals, user, secret, http string) {
		if strings.ContainsAny(user+secret, "\"\\\n\r{") || strings.ContainsAny(http, "\n\r{\"\\:") && strings.Count(http, "\n") > 0 {
			return // another line, or quoted otherwise
		}
		s := usual().with("name", name, "target", target, "kernel", kernel, "initrd", initrd, "append", more, "portals", portals)
		top := fuzzedServer
		if http != "" {
			top += fmt.Sprintf("http: %q\n", http)
		}
		r := s.room(t, top, fmt.Sprintf(`"%s" "%s"`, user, secret))
		if r == nil {
			return
		}
		h := r.Hosts[0]
		s = s.with("chap", "secrets")
		commands, err := readIPXE(r.ipxe(h))
		if err != nil {
			t.Fatal(err)
		}
		b, err := readBoot(commands, r.base())
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		s.check(t, b)
		commands, err = readIPXE(r.sanhook(h))
		switch {
		case err != nil:
			t.Fatal(err)
		case h.sanhookLacks() != "":
			if last := commands[len(commands)-1]; len(commands) != 2 || commands[0][0] != "echo" || !slices.Equal(last, []string{"exit", "1"}) {
				t.Errorf("%q", commands)
			}
			return
		case len(commands) < 6:
			t.Fatalf("%q", commands)
		}
		set := map[string]string{}
		for len(commands) > 0 && commands[0][0] == "set" {
			set[commands[0][1]] = strings.Join(commands[0][2:], " ")
			commands = commands[1:]
		}
		if set["initiator-iqn"] != s["initiator"] || set["keep-san"] != "1" || set["username"] != user || set["password"] != string(h.CHAP.Secret.Bytes()) || len(set) != 4 {
			t.Errorf("%q of %q", set, s)
		}
		if len(commands[0]) != 4 || !slices.Equal(commands[0][:3], []string{"sanhook", "--drive", "0x80"}) {
			t.Fatalf("%q", commands[0])
		}
		s.checkRootPath(t, commands[0][3])
		if b, err = readBoot(commands[1:], r.base()); err != nil {
			t.Fatal(err)
		}
		s.check(t, b)
	})
}
