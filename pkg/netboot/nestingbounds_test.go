package netboot

import (
	"strings"
	"testing"
)

// Each limit of the nesting holds at its last value: 64 brackets, also those behind a line's
// indentation, and 64 values on a line pass; one more does not. What is closed does not count.
func TestNestingAtItsBounds(t *testing.T) {
	const deep, onLine = "more than 64 values within each other", "more than 64 values within each other on one line"
	indented := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.Repeat(" ", i) + "a:\n")
		}
		return b.String()
	}
	pairs := func(open, end string, n int) string { return strings.Repeat(open, n) + strings.Repeat(end, n) }
	for _, c := range []struct {
		name, text string
		line       int
		why        string
	}{
		// The line itself is one level.
		{"63 brackets", pairs("[", "]", 63), 0, ""},
		{"64 brackets", pairs("[", "]", 64), 1, deep},
		{"63 braces", pairs("{", "}", 63), 0, ""},
		{"64 braces", pairs("{", "}", 64), 1, deep},
		{"mixed ones", pairs("[{", "}]", 32), 1, deep},
		{"mixed ones, one less", "[" + pairs("[{", "}]", 31) + "]", 0, ""},
		{"on many lines", strings.Repeat("[\n", 64), 64, deep},
		{"closed and opened again", pairs("[", "]", 40) + "\n" + pairs("[", "]", 63), 0, ""},
		{"closed on one line", strings.Repeat("[x], ", 200), 0, ""},
		{"indented 64 times", indented(64), 0, ""},
		{"indented 65 times", indented(65), 65, deep},
		{"brackets below an indentation", indented(32) + strings.Repeat(" ", 32) + "- " + pairs("[", "]", 31), 0, ""},
		{"one more bracket below it", indented(32) + strings.Repeat(" ", 32) + "- " + pairs("[", "]", 32), 33, deep},
		{"indentation within brackets", "a: [\n" + strings.Repeat("      x,\n  y,\n", 100) + "]\n", 0, ""},
		{"back to the left", strings.Repeat("a:\n  b:\n    c: x\n", 100), 0, ""},
		{"a level below the same column", strings.Repeat("  - x\n", 200), 0, ""},
		{"64 entries", strings.Repeat("- ", 64), 0, ""},
		{"65 entries", strings.Repeat("- ", 65), 1, onLine},
		{"64 entries twice", strings.Repeat("- ", 64) + "\n" + strings.Repeat("- ", 64), 0, ""},
		{"keys within brackets", "{" + strings.Repeat("a: x, ", 200) + "}", 0, ""},
		{"keys behind brackets", "[x]\n" + strings.Repeat("? ", 65), 2, onLine},
		{"comments", strings.Repeat("a: x # [[[[[[[[[[[[[[[[\n", 100), 0, ""},
	} {
		if line, why := tooDeep(tokens(c.text)); line != c.line || why != c.why {
			t.Errorf("%s: line %d %q, want %d %q", c.name, line, why, c.line, c.why)
		}
	}
}

// 4096 tokens pass on each line, and one more does not.
func TestWordsOnALine(t *testing.T) {
	full := strings.Repeat("'' ", maxOnLine)
	if line, why := tooDeep(tokens(full + "\n" + full)); why != "" {
		t.Errorf("line %d: %s", line, why)
	}
	if line, why := tooDeep(tokens(full + "\n" + full + "''")); line != 2 || why != "more than 4096 words on one line" {
		t.Errorf("line %d: %s", line, why)
	}
}
