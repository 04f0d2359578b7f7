package manual

import "strings"

// kind is what a block is.
type kind int

const (
	paragraph kind = iota
	heading
	subheading
	literal
	item
	definition
	table
)

// block is a part of a page.
type block struct {
	kind  kind
	terms []string   // of a definition
	text  string     // filled text; of a literal block its lines
	rows  [][]string // of a table; the first is its head
}

// blocks reads the text below a page's title.
func blocks(text string) []block {
	p := &parser{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if !strings.HasPrefix(line, "<!--") {
			p.line(line)
		}
	}
	p.end()
	return p.out
}

// parser collects the lines of the block that is being read.
type parser struct {
	out   []block
	now   block
	lines []string
	blank int // blank lines inside of a literal block
}

// line takes one line.
func (p *parser) line(line string) {
	inLiteral := p.now.kind == literal && len(p.lines) > 0
	switch {
	case line == "" && inLiteral:
		p.blank++
	case line == "":
		p.end()
	case strings.HasPrefix(line, "    ") && (inLiteral || len(p.lines) == 0):
		p.literalLine(line[4:])
	case strings.HasPrefix(line, "### "):
		p.whole(subheading, line[4:])
	case strings.HasPrefix(line, "## "):
		p.whole(heading, line[3:])
	case strings.HasPrefix(line, "- "):
		p.begin(item, line[2:])
	case strings.HasPrefix(line, "|"):
		p.row(line)
	case strings.HasPrefix(line, ": ") && p.now.kind == paragraph && len(p.lines) > 0:
		p.now = block{kind: definition, terms: p.lines}
		p.lines = []string{line[2:]}
	case inLiteral || p.now.kind == table:
		p.begin(paragraph, line)
	default:
		p.lines = append(p.lines, strings.TrimLeft(line, " "))
	}
}

// begin ends the present block and starts another one.
func (p *parser) begin(k kind, line string) {
	p.end()
	p.now.kind = k
	p.lines = []string{line}
}

// whole is a block of one line.
func (p *parser) whole(k kind, line string) {
	p.begin(k, line)
	p.end()
}

// literalLine takes a line that stays as it is.
func (p *parser) literalLine(line string) {
	if p.now.kind != literal {
		p.begin(literal, line)
		return
	}
	for ; p.blank > 0; p.blank-- {
		p.lines = append(p.lines, "")
	}
	p.lines = append(p.lines, line)
}

// row takes a line of a table.
func (p *parser) row(line string) {
	if p.now.kind != table {
		p.end()
		p.now.kind = table
	}
	const bar = "\x00"
	line = strings.ReplaceAll(strings.Trim(line, "|"), `\|`, bar)
	var cells []string
	for cell := range strings.SplitSeq(line, "|") {
		cells = append(cells, strings.ReplaceAll(strings.TrimSpace(cell), bar, "|"))
	}
	if strings.Trim(strings.Join(cells, ""), "-: ") != "" || len(p.now.rows) != 1 {
		p.now.rows = append(p.now.rows, cells)
	}
}

// end ends the present block.
func (p *parser) end() {
	separator := " "
	if p.now.kind == literal {
		separator = "\n"
	}
	p.now.text = strings.Join(p.lines, separator)
	if p.now.text != "" || len(p.now.rows) > 0 {
		p.out = append(p.out, p.now)
	}
	p.now, p.lines, p.blank = block{}, nil, 0
}
