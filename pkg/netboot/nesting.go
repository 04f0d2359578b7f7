package netboot

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// Bounds of what the YAML parser gets: each level costs it a few KiB and a goroutine's stack, and
// after a mistake its time grows with the square of the tokens on a line. A description has 4
// levels.
const (
	maxDepth      = 64   // values within each other, by brackets or by indentation
	maxIndicators = 64   // -, ?, :, &, * and ! outside of brackets on one line
	maxOnLine     = 4096 // tokens on one line
)

// nesting follows the tokens of a YAML text, which unlike its characters tell a bracket from one in
// a comment.
type nesting struct {
	line       int   // of the last token
	onLine     int   // tokens of this line
	indicators int   // of this line, outside of brackets
	brackets   int   // open now
	columns    []int // in which the lines began that the last one is indented below
}

// tooDeep tells on which line a text is nested deeper than a description is, and what is wrong
// there; 0 if it is not.
func tooDeep(tokens token.Tokens) (line int, why string) {
	n := nesting{}
	for _, t := range tokens {
		if t.Position == nil || t.Type == token.CommentType {
			continue
		}
		if why := n.add(t); why != "" {
			return t.Position.Line, why
		}
	}
	return 0, ""
}

// add takes the next token.
func (n *nesting) add(t *token.Token) string {
	if t.Position.Line != n.line {
		n.line, n.onLine, n.indicators = t.Position.Line, 0, 0
		if n.brackets == 0 {
			n.indent(t.Position.Column)
		}
	}
	n.onLine++
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		n.brackets++
	case token.SequenceEndType, token.MappingEndType:
		n.brackets = max(0, n.brackets-1)
	case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType, token.AnchorType, token.AliasType, token.TagType:
		if n.brackets == 0 {
			n.indicators++
		}
	}
	switch {
	case n.brackets+len(n.columns) > maxDepth:
		return fmt.Sprintf("more than %d values within each other", maxDepth)
	case n.indicators > maxIndicators:
		return fmt.Sprintf("more than %d values within each other on one line", maxIndicators)
	case n.onLine > maxOnLine:
		return fmt.Sprintf("more than %d words on one line", maxOnLine)
	}
	return ""
}

// indent notes in which column a line begins.
func (n *nesting) indent(column int) {
	for len(n.columns) > 0 && n.columns[len(n.columns)-1] >= column {
		n.columns = n.columns[:len(n.columns)-1]
	}
	n.columns = append(n.columns, column)
}
