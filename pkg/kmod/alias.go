package kmod

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/glob"
)

// aliasTable finds the patterns that match a string without trying them all: a pattern is stored
// under its literal prefix, the text before its first wildcard, and a string can only match
// patterns stored under one of its own prefixes. Debian has 9000 patterns for pci alone, but fewer
// than 100 different lengths of prefix.
type aliasTable struct {
	entries []alias
	heads   map[string]int32 // literal prefix -> last entry stored under it
	lengths []int            // of the literal prefixes, ascending
}

type alias struct {
	raw     string // as written
	pattern string // normalised
	module  string // normalised
	next    int32  // the entry stored before it under the same prefix, or -1
}

// grow makes room for n patterns.
func (t *aliasTable) grow(n int) {
	t.entries = make([]alias, 0, n)
	t.heads = make(map[string]int32, n/2)
}

// add stores a pattern.
func (t *aliasTable) add(raw, module string) {
	if t.heads == nil {
		t.heads = map[string]int32{}
	}
	pattern := normalisePattern(raw)
	key := literalPrefix(pattern)
	next, ok := t.heads[key]
	if !ok {
		next = -1
	}
	t.heads[key] = int32(len(t.entries))
	t.entries = append(t.entries, alias{raw, pattern, module, next})
}

// finish computes what match needs after the last add.
func (t *aliasTable) finish() {
	seen := map[int]bool{}
	for key := range t.heads {
		seen[len(key)] = true
	}
	t.lengths = t.lengths[:0]
	for n := range seen {
		t.lengths = append(t.lengths, n)
	}
	slices.Sort(t.lengths)
}

// match returns the modules of all patterns that match s, a normalised alias, in the order they
// were added.
func (t *aliasTable) match(s string) []string {
	var hits []int32
	for _, n := range t.lengths {
		if n > len(s) {
			break
		}
		i, ok := t.heads[s[:n]]
		for ; ok && i >= 0; i = t.entries[i].next {
			if glob.Match(t.entries[i].pattern[n:], s[n:]) {
				hits = append(hits, i)
			}
		}
	}
	slices.Sort(hits)
	names := make([]string, len(hits))
	for k, i := range hits {
		names[k] = t.entries[i].module
	}
	return names
}

// literalPrefix returns the text before the first wildcard of a pattern.
func literalPrefix(pattern string) string {
	if i := strings.IndexAny(pattern, `*?[\`); i >= 0 {
		return pattern[:i]
	}
	return pattern
}

// normalisePattern replaces '-' by '_' outside of brackets, where '-' makes a range.
func normalisePattern(pattern string) string {
	if strings.IndexByte(pattern, '-') < 0 {
		return pattern
	}
	b := []byte(pattern)
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '-':
			b[i] = '_'
		case '[':
			if end := strings.IndexByte(pattern[i:], ']'); end > 0 {
				i += end
			}
		}
	}
	return string(b)
}
