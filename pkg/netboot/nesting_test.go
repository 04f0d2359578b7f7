package netboot

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

func tokens(text string) token.Tokens { return lexer.Tokenize(text) }

// Whatever a text nests with, it is refused with its line before it gets to the parser; 64 levels
// are not.
func TestNesting(t *testing.T) {
	var steps, dashes strings.Builder
	for i := range 100 {
		steps.WriteString(strings.Repeat(" ", i) + "a:\n")
		dashes.WriteString(strings.Repeat(" ", i) + "-\n")
	}
	for _, c := range []struct {
		name, text, want string
	}{
		{"entries", "a:\n" + strings.Repeat("- ", 60000), "2: more than 64 values within each other on one line"},
		{"keys", strings.Repeat("? ", 60000), "1: more than 64 values within each other on one line"},
		{"values", strings.Repeat("a: ", 40000), "1: more than 64 values within each other on one line"},
		{"anchors", "a: " + strings.Repeat("&a ", 40000), "1: more than 64 values within each other on one line"},
		{"aliases", "a: " + strings.Repeat("*a ", 40000), "1: more than 64 values within each other on one line"},
		{"tags", "a: " + strings.Repeat("!!a ", 30000), "1: more than 64 values within each other on one line"},
		{"brackets", strings.Repeat("[", 100), "1: more than 64 values within each other"},
		{"braces", strings.Repeat("{", 100), "1: more than 64 values within each other"},
		{"brackets behind a comment's", strings.Repeat("[ #]\n", 100), "64: more than 64 values within each other"},
		{"brackets behind a text's", strings.Repeat("[ ']',\n", 100), "64: more than 64 values within each other"},
		{"brackets behind closed ones", strings.Repeat("]", 100) + strings.Repeat("[", 100), "1: more than 64 values within each other"},
		{"indented keys", steps.String(), "65: more than 64 values within each other"},
		{"indented entries", dashes.String(), "65: more than 64 values within each other"},
		{"texts", strings.Repeat("'' ", 40000), "1: more than 4096 words on one line"},
	} {
		_, err := parse("hosts.yaml", []byte(c.text), secrets)
		if want := "hosts.yaml:" + c.want; err == nil || err.Error() != want {
			t.Errorf("%s:\n got %.200v\nwant %s", c.name, err, want)
		}
	}
	list := strings.Repeat("{a: [x, \"[\"]}, ", 200)
	if line, why := tooDeep(tokens("a: [" + list + "]\nb: [" + list + "]\n")); why != "" {
		t.Errorf("line %d: %s", line, why)
	}
}

// Ten thousand hosts, each with lists, are not nested.
func TestManyHostsAreFlat(t *testing.T) {
	var b strings.Builder
	b.WriteString("hosts:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "  - name: h%d\n    portals: [10.1.1.180:3261, \"[2001:db8::1]\"]\n    append:\n      - quiet\n", i)
	}
	if line, why := tooDeep(tokens(b.String())); why != "" {
		t.Errorf("line %d: %s", line, why)
	}
}
