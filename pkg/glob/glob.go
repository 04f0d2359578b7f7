// Package glob matches patterns as fnmatch(3) does: those of modules.alias and of systemd.link(5).
package glob

// Match reports whether a pattern of fnmatch(3), without flags, matches all of s: '*', '?',
// '[a-f]', '[!a-f]' and a backslash before a character that is meant as it is. Bytes are compared.
// After a mismatch only the last '*' is extended, which is enough for this grammar, so the time is
// at most the product of the lengths.
func Match(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0 // the last '*' and where its text ends so far
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, i
			p++
			continue
		}
		if n, ok := one(pattern[p:], s[i]); ok {
			p += n
			i++
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, i = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// one matches the first element of a pattern, no '*', with one byte and returns the element's
// length.
func one(pattern string, c byte) (n int, ok bool) {
	if pattern == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		if n, ok, closed := set(pattern, c); closed {
			return n, ok
		}
		return 1, c == '[' // no closing bracket: an ordinary character
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == c
		}
	}
	return 1, pattern[0] == c
}

// set matches a bracket expression, of which pattern[0] is the '['.
func set(pattern string, c byte) (n int, ok, closed bool) {
	i := 1
	negate := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negate {
		i++
	}
	// A ']' that comes first stands for itself (POSIX 2.13.1).
	for first := true; i < len(pattern); first = false {
		lo := pattern[i]
		if lo == ']' && !first {
			return i + 1, ok != negate, true
		}
		hi := lo
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			hi = pattern[i+2]
			i += 2
		}
		i++
		ok = ok || lo <= c && c <= hi
	}
	return 0, false, false
}
