package manual

import (
	"fmt"
	"strings"
)

// Roff returns the page for man(1), in the macros of man(7). The footer names the version.
func (p Page) Roff(version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s %s \"\" \"iscsiroot %s\" \"iscsiroot\"\n", strings.ToUpper(escape(p.Name)), p.Section, escape(version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(p.Name), marked(p.Summary))
	for _, k := range p.blocks {
		k.roff(&b)
	}
	return b.String()
}

// roff writes a block.
func (k block) roff(b *strings.Builder) {
	switch k.kind {
	case heading:
		b.WriteString(".SH " + escape(unmarked(k.text)) + "\n")
	case subheading:
		b.WriteString(".SS " + escape(unmarked(k.text)) + "\n")
	case literal:
		verbatim(b, strings.Split(k.text, "\n"))
	case item:
		b.WriteString(".IP \\(bu 2\n" + filled(k.text) + "\n")
	case definition:
		for i, term := range k.terms {
			request := ".TP\n"
			if i > 0 {
				request = ".TQ\n"
			}
			b.WriteString(request + filled(term) + "\n")
		}
		b.WriteString(filled(k.text) + "\n")
	case table:
		verbatim(b, layout(k.rows, width-2*indent))
	default:
		b.WriteString(".PP\n" + filled(k.text) + "\n")
	}
}

// verbatim writes lines that stay as they are.
func verbatim(b *strings.Builder, lines []string) {
	b.WriteString(".PP\n.RS 4\n.nf\n")
	for _, line := range lines {
		b.WriteString(guarded(escape(line)) + "\n")
	}
	b.WriteString(".fi\n.RE\n")
}

// filled is text with its literal parts in bold, as one line of input.
func filled(text string) string { return guarded(marked(text)) }

// marked escapes text, and sets in bold what is between two marks. A single mark stays.
func marked(text string) string {
	parts := strings.Split(text, "`")
	var b strings.Builder
	for i, part := range parts {
		switch {
		case i%2 == 0:
			b.WriteString(escape(part))
		case i == len(parts)-1:
			b.WriteString(escape("`" + part))
		default:
			b.WriteString(`\fB` + escape(part) + `\fR`)
		}
	}
	return b.String()
}

// guarded keeps a line from being read as a request (a dot first) or as the end of a paragraph (an
// empty line).
func guarded(line string) string {
	if line == "" || strings.HasPrefix(line, ".") {
		return `\&` + line
	}
	return line
}

// escapes are the characters that roff reads as escapes or prints as others, groff_char(7).
var escapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`)

// escape writes text so that each character is printed as it is, on one line, wherever a
// request may have it as an argument.
func escape(text string) string {
	var b strings.Builder
	for _, c := range escapes.Replace(strings.ReplaceAll(text, "\n", " ")) {
		if c > '~' {
			fmt.Fprintf(&b, `\[u%04X]`, c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}
