package lab

import (
	"testing"
)

func TestEscapes(t *testing.T) {
	const text = "\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS\nP\x1b[25;02HXELINUX \x1b[0;1m6\x1b[0m [ok]\n"
	const want = "SeaBIOS\nPXELINUX 6 [ok]\n"
	for size := range 5 {
		var e escapes
		got := ""
		for rest := text; rest != ""; {
			n := min(size+1, len(rest))
			got += string(e.strip([]byte(rest[:n])))
			rest = rest[n:]
		}
		if got != want {
			t.Errorf("in pieces of %d: %q", size+1, got)
		}
	}
}
