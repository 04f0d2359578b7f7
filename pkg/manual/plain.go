package manual

import (
	"strings"
	"unicode/utf8"
)

// Widths of plain text, in columns.
const (
	width  = 79
	indent = 4 // of text below its heading, and of a definition below its term
)

// Plain returns the page as text for a terminal of 80 columns.
func (p Page) Plain() string {
	var b strings.Builder
	b.WriteString(p.Title() + "\n\nNAME\n")
	fill(&b, p.Name+" - "+p.Summary, indent, indent)
	before := paragraph
	for _, k := range p.blocks {
		if before != heading && before != subheading && (before != item || k.kind != item) {
			b.WriteString("\n")
		}
		k.plain(&b)
		before = k.kind
	}
	return b.String()
}

// plain writes a block.
func (k block) plain(b *strings.Builder) {
	switch k.kind {
	case heading:
		b.WriteString(unmarked(k.text) + "\n")
	case subheading:
		b.WriteString("  " + unmarked(k.text) + "\n")
	case literal:
		for line := range strings.SplitSeq(k.text, "\n") {
			b.WriteString(strings.TrimRight(strings.Repeat(" ", 2*indent)+line, " ") + "\n")
		}
	case item:
		fill(b, "- "+unmarked(k.text), indent, indent+2)
	case definition:
		for _, term := range k.terms {
			fill(b, unmarked(term), indent, indent)
		}
		fill(b, unmarked(k.text), 2*indent, 2*indent)
	case table:
		for _, line := range layout(k.rows, width-indent) {
			b.WriteString(strings.TrimRight(strings.Repeat(" ", indent)+line, " ") + "\n")
		}
	default:
		fill(b, unmarked(k.text), indent, indent)
	}
}

// unmarked leaves the marks of literal text out. A single mark stays.
func unmarked(text string) string {
	return strings.Replace(text, "`", "", strings.Count(text, "`")/2*2)
}

// fill writes text in lines of the page's width, the first one indented by first columns and the
// others by rest.
func fill(b *strings.Builder, text string, first, rest int) {
	space := first
	for _, line := range wrap(text, width-max(first, rest)) {
		b.WriteString(strings.Repeat(" ", space) + line + "\n")
		space = rest
	}
}

// wrap cuts text into lines of so many columns. A word that is longer has a line of its own.
func wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}
