package manual

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const odd = "# odd-page(7): it's a \"page\" -- with \\ and ~^\n" + `
<!-- not shown -->
.dot first, ` + "`.code` and a lone ` mark" + `
continued 'here' … end

## HEAD - "ING"

### Sub .heading

    .literal 'line'

      two  blanks  \n
back to text

- item
  goes on
- ` + "`-i`" + `

` + "`--term VALUE`\n`-t`" + `
: .definition of it
  goes on

| a | b |
|---|---|
| x \| y | .z |
| ` + "`c`" + ` | |
`

func TestPlain(t *testing.T) {
	p, err := Parse(odd)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`odd-page(7)

NAME
    odd-page - it's a "page" -- with \ and ~^

    .dot first, .code and a lone MARK mark continued 'here' … end

HEAD - "ING"
  Sub .heading
        .literal 'line'

          two  blanks  \n

    back to text

    - item goes on
    - -i

    --term VALUE
    -t
        .definition of it goes on

    a      b
    -----  --
    x | y  .z
    c
`, "MARK", "`")
	if diff := cmp.Diff(want, p.Plain()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRoff(t *testing.T) {
	p, err := Parse(odd)
	if err != nil {
		t.Fatal(err)
	}
	const want = `.TH ODD\-PAGE 7 "" "iscsiroot 1.0\-\(dqx" "iscsiroot"
.SH NAME
odd\-page \- it\(aqs a \(dqpage\(dq \-\- with \e and \(ti\(ha
.PP
\&.dot first, \fB.code\fR and a lone \(ga mark continued \(aqhere\(aq \[u2026] end
.SH HEAD \- \(dqING\(dq
.SS Sub .heading
.PP
.RS 4
.nf
\&.literal \(aqline\(aq
\&
  two  blanks  \en
.fi
.RE
.PP
back to text
.IP \(bu 2
item goes on
.IP \(bu 2
\fB\-i\fR
.TP
\fB\-\-term VALUE\fR
.TQ
\fB\-t\fR
\&.definition of it goes on
.PP
.RS 4
.nf
a      b
\-\-\-\-\-  \-\-
x | y  .z
c
.fi
.RE
`
	if diff := cmp.Diff(want, p.Roff(`1.0-"x`)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestParseNeedsATitle(t *testing.T) {
	for _, text := range []string{"", "text", "# name: x", "# name(7) x", "# Name(7): x", "# a(0): x", "# a(7): \n"} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%q is %s", text, p.Title())
		}
	}
}

// A cell that is too long for the page has several lines, and a word stays whole.
func TestTableIsFolded(t *testing.T) {
	got := strings.Join(layout([][]string{{"", ""}, {"short", "a cell with many words"}, {"s", "t"}, {"u"}}, 20), "\n")
	const want = "short  a cell with\n       many words\n\ns      t\nu"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got = strings.Join(layout([][]string{{"a", "bb"}, {"unbreakable", "words"}}, 4), "\n")
	if !strings.Contains(got, "unbreakable") || !strings.Contains(got, "words") {
		t.Errorf("words are cut:\n%s", got)
	}
}

// The lines of the pages that man reads hold no request, escape or character but ours.
var (
	request = regexp.MustCompile(`^\.(TH [A-Z\\-]+ [78] "" "[^"]*" "iscsiroot"|SH .+|SS .+|PP|RS 4|RE|nf|fi|TP|TQ|IP \\\(bu 2)$`)
	escaped = regexp.MustCompile(`\\(-|e|&|\((aq|dq|ga|ha|ti|bu)|f[BR]|\[u[0-9A-F]{4,5}\])`)
)

// Each page has the usual parts, fits a terminal where its text can be filled, and is clean input
// for man.
func TestPages(t *testing.T) {
	pages, err := Pages()
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) != 8 {
		t.Errorf("%d pages", len(pages))
	}
	for _, p := range pages {
		plain := p.Plain()
		for _, part := range []string{"\nNAME\n", "\nDESCRIPTION\n", "\nSEE ALSO\n"} {
			if !strings.Contains(plain, part) {
				t.Errorf("%s has no part %q", p.Title(), strings.TrimSpace(part))
			}
		}
		for line := range strings.Lines(plain) {
			line = strings.TrimRight(line, "\n")
			literal := strings.HasPrefix(line, strings.Repeat(" ", 2*indent))
			words := strings.Fields(line)
			if utf8.RuneCountInString(line) > width && !literal && len(words) > 2 {
				t.Errorf("%s: too wide: %s", p.Title(), line)
			}
		}
		fonts := 0
		for line := range strings.Lines(p.Roff("1")) {
			line = strings.TrimRight(line, "\n")
			rest := escaped.ReplaceAllString(line, "")
			bad := line == "" || strings.Contains(rest, `\`) || strings.ContainsFunc(rest, func(c rune) bool { return c < ' ' || c > '~' })
			if bad || strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !request.MatchString(line) {
				t.Errorf("%s: man cannot read %q", p.Title(), line)
			}
			fonts += strings.Count(line, `\fB`) - strings.Count(line, `\fR`)
		}
		if fonts != 0 {
			t.Errorf("%s: %d marks of literal text have no end", p.Title(), fonts)
		}
		if source := strings.Join(texts(p.blocks), "\n"); strings.Contains(source, "<!--") || strings.Count(source, "`")%2 != 0 {
			t.Errorf("%s: a comment that is shown, or a mark of literal text without another", p.Title())
		}
	}
}

// texts is what blocks hold.
func texts(blocks []block) []string {
	var out []string
	for _, k := range blocks {
		out = append(append(out, k.terms...), k.text)
		for _, row := range k.rows {
			out = append(out, row...)
		}
	}
	return out
}
