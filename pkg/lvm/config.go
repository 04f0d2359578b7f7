package lvm

import (
	"fmt"
	"strings"
)

// Limits of a text, so that little memory is taken for a hostile one. lvm2's own texts have four
// levels and about 40 nodes and values for each LV.
const (
	maxDepth = 8
	maxItems = 1 << 19
)

// node is a section, or a key with its value.
type node struct {
	key      string
	section  bool
	children []node  // of a section
	values   []value // of a key: one, or those of a list
}

// value is a number or a string, as it stands in the text.
type value struct {
	text   string
	quoted bool
}

// parser reads lvm's format of configuration (libdm/libdm-config.c: _section, _value, _get_token):
//
//	section { key = value   other = [ "a", 1 ]   # a comment
//	}
type parser struct {
	text  string
	at    int // of what has not been read
	items int
	token token
	err   error // the first
}

type tokenKind byte

const (
	tokenEnd    tokenKind = iota
	tokenPunct            // one of { } [ ] , =
	tokenWord             // an identifier or a number
	tokenQuoted           // a string
)

type token struct {
	kind tokenKind
	text string // without quotes, unescaped
	at   int
}

// parseConfig returns the nodes of a text. A NUL ends it: lvm2 writes one behind the text.
func parseConfig(text string) ([]node, error) {
	text, _, _ = strings.Cut(text, "\x00")
	p := &parser{text: text}
	p.next()
	nodes := p.nodes(0)
	if p.token.kind != tokenEnd {
		p.unexpected()
	}
	if p.err != nil {
		return nil, p.err
	}
	return nodes, nil
}

// fail keeps the first error. What follows is read as the end of the text.
func (p *parser) fail(at int, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("metadata at byte %d: %s", at, fmt.Sprintf(format, args...))
	}
	p.at, p.token = len(p.text), token{}
}

func (p *parser) unexpected() {
	if p.token.kind == tokenEnd {
		p.fail(p.token.at, "the end is unexpected")
	} else {
		p.fail(p.token.at, "%q is unexpected", clip(p.token.text))
	}
}

// is reports whether the token is that character, outside of quotes.
func (p *parser) is(punct string) bool { return p.token.kind == tokenPunct && p.token.text == punct }

// nodes reads up to the end of the section.
func (p *parser) nodes(depth int) []node {
	if depth > maxDepth {
		p.fail(p.token.at, "more than %d levels", maxDepth)
	}
	var out []node
	seen := map[string]bool{}
	for p.token.kind == tokenWord || p.token.kind == tokenQuoted {
		at := p.token.at
		n := p.node(depth)
		if seen[n.key] || n.key == "" {
			p.fail(at, "%q is there twice, or empty", clip(n.key))
		}
		seen[n.key] = true
		out = append(out, n)
	}
	return out
}

// node reads a key with its value, or a section.
func (p *parser) node(depth int) node {
	n := node{key: p.token.text}
	p.count()
	p.next()
	switch {
	case p.is("{"):
		n.section = true
		p.next()
		n.children = p.nodes(depth + 1)
		if !p.is("}") {
			p.unexpected()
		}
		p.next()
	case p.is("="):
		p.next()
		n.values = p.values()
	default:
		p.unexpected()
	}
	return n
}

// values reads one value or a list, in which commas may be left out.
func (p *parser) values() []value {
	if !p.is("[") {
		return []value{p.value()}
	}
	p.next()
	out := []value{}
	for !p.is("]") && p.err == nil {
		out = append(out, p.value())
		if p.is(",") {
			p.next()
		}
	}
	p.next()
	return out
}

func (p *parser) value() value {
	if p.token.kind != tokenWord && p.token.kind != tokenQuoted {
		p.unexpected()
	}
	v := value{p.token.text, p.token.kind == tokenQuoted}
	p.count()
	p.next()
	return v
}

func (p *parser) count() {
	if p.items++; p.items > maxItems {
		p.fail(p.token.at, "more than %d keys and values", maxItems)
	}
}

const blanks = " \t\n\v\f\r" // isspace(3)

// next reads a token. Words are cut at what cannot be in an identifier or a number of lvm2's own.
func (p *parser) next() {
	p.skip()
	rest := p.text[p.at:]
	p.token = token{at: p.at}
	if rest == "" {
		return
	}
	switch c := rest[0]; {
	case strings.IndexByte("{}[],=", c) >= 0:
		p.token.kind, p.token.text = tokenPunct, rest[:1]
		p.at++
	case c == '"' || c == '\'':
		p.quoted(rest, c)
	default:
		n := strings.IndexAny(rest, blanks+"#={}[],\"'")
		if n < 0 {
			n = len(rest)
		}
		p.token.kind, p.token.text = tokenWord, rest[:n]
		p.at += n
	}
}

// skip passes over blanks and comments.
func (p *parser) skip() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case strings.IndexByte(blanks, c) >= 0:
			p.at++
		case c == '#':
			n := strings.IndexByte(p.text[p.at:], '\n')
			if n < 0 {
				n = len(p.text) - p.at
			}
			p.at += n
		default:
			return
		}
	}
}

// quoted reads a string. In double quotes a backslash stands before a quote and a backslash
// (libdm/libdm-string.c: dm_unescape_double_quotes); in single ones it is a character.
func (p *parser) quoted(rest string, quote byte) {
	end := 1
	escaped := false
	for end < len(rest) && rest[end] != quote {
		if rest[end] == '\\' && quote == '"' {
			escaped = true
			end++
		}
		end++
	}
	if end >= len(rest) {
		p.fail(p.at, "a string without an end")
		return
	}
	p.token.kind, p.token.text = tokenQuoted, rest[1:end]
	if escaped {
		p.token.text = unescape(rest[1:end])
	}
	p.at += end + 1
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
