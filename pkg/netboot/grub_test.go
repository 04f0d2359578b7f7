package netboot

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// readGRUB splits a script into commands and their words, as GRUB does without variables
// (grub-core/script/yylex.l): a text in single quotes is taken as it is.
func readGRUB(text string) (commands [][]string, err error) {
	var words []string
	word, inWord := "", false
	endWord := func() {
		if inWord {
			words = append(words, word)
		}
		word, inWord = "", false
	}
	end := func() {
		endWord()
		if len(words) > 0 {
			commands = append(commands, words)
		}
		words = nil
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'':
			n := strings.IndexByte(text[i+1:], '\'')
			if n < 0 {
				return nil, errors.New("a quote does not end")
			}
			word, inWord = word+text[i+1:i+1+n], true
			i += n + 1
		case c == '#' && !inWord:
			n := strings.IndexByte(text[i:], '\n')
			i += n - 1
		case c == '\n', c == ';', (c == '{' || c == '}') && !inWord:
			end()
		case c == ' ', c == '\t':
			endWord()
		case strings.IndexByte("$\"\\<>&|`", c) >= 0:
			return nil, errors.New("a special character outside of quotes: " + text[i:])
		default:
			word, inWord = word+string(rune(c)), true
		}
	}
	end()
	return commands, nil
}

// FuzzGRUB: what GRUB reads is what the hosts file has.
func FuzzGRUB(f *testing.F) {
	s := usual()
	f.Add(s["name"], s["target"], s["kernel"], s["initrd"], s["root"], s["append"], s["portals"])
	f.Add("0", "iqn.x:t", "(hd0)/x;y", "a*[b]!", "", "a;b {x} #y 'z' $root", "[2001:db8::1]")
	f.Fuzz(func(t *testing.T, name, target, kernel, initrd, root, more, portals string) {
		s := usual().with("name", name, "target", target, "kernel", kernel, "initrd", initrd, "root", root, "append", more, "portals", portals)
		r := s.room(t, fuzzedServer, "user twelve-bytes-12")
		if r == nil {
			return
		}
		got, err := readGRUB(grub(r.Hosts[0]))
		if err != nil || len(got) != 4 || !slices.Equal(got[0], []string{"set", "timeout=0"}) || !slices.Equal(got[1], []string{"menuentry", name}) || got[2][0] != "linux" || got[3][0] != "initrd" {
			t.Fatalf("%q: %q, %v", s, got, err)
		}
		b := boot{kernel: strings.TrimPrefix(got[2][1], "/"), args: got[2][2 : len(got[2])-1]}
		for _, i := range got[3][1:] {
			b.initrds = append(b.initrds, strings.TrimPrefix(i, "/"))
		}
		if last := got[2][len(got[2])-1]; last != "BOOTIF=01-aa-bb-cc-dd-ee-fe" {
			t.Errorf("the last word is %s", last)
		}
		s.with("chap", "secrets").check(t, b)
	})
}
