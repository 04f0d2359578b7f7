package netboot

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// Limits of a description, our own, so that a wrong file ends in an error and not in swap.
const (
	maxFile  = 1 << 20 // bytes
	maxHosts = 10000   // each makes five files
)

// text is a value as it was written, and where.
type text struct {
	value string
	line  int
}

// field is what a key has: one text, or a list of them.
type field struct {
	list []text
	many bool // written as a list
	line int
}

// section is a set of fields by their keys.
type section struct {
	fields map[string]field
	line   int
}

// document is a description as it was written.
type document struct {
	top, defaults section
	hosts         []section
}

// reader takes a YAML document apart and collects what is wrong with it.
type reader struct {
	file string
	errs []error
}

// message is a text that bootspec made, in which no secret is.
type message string

// failf reports a mistake. Texts of the description among args are redacted: a secret may have been
// put anywhere.
func (r *reader) failf(line int, host, key, format string, args ...any) {
	for i := range args {
		if s, ok := args[i].(string); ok {
			args[i] = bootspec.Redact(s)
		}
	}
	host, key = bootspec.Redact(host), bootspec.Redact(key)
	r.errs = append(r.errs, &Error{r.file, line, host, key, fmt.Sprintf(format, args...)})
}

// parse reads the document.
func (r *reader) parse(data []byte) document {
	doc := document{top: section{fields: map[string]field{}}, defaults: section{fields: map[string]field{}}}
	if len(data) > maxFile {
		r.failf(0, "", "", "larger than %d bytes", maxFile)
		return doc
	}
	tokens := lexer.Tokenize(string(data))
	if line, why := tooDeep(tokens); why != "" {
		r.failf(line, "", "", "%s", why)
		return doc
	}
	f, err := parser.Parse(tokens, 0)
	if err != nil {
		r.syntax(err)
		return doc
	}
	if len(f.Docs) != 1 {
		r.failf(0, "", "", "%d YAML documents: write one", len(f.Docs))
		return doc
	}
	pairs, ok := mapping(f.Docs[0].Body)
	if !ok {
		r.failf(1, "", "", "not a set of fields: begin with hosts:")
		return doc
	}
	for _, p := range pairs {
		key, line := keyOf(p)
		switch key {
		case "defaults":
			doc.defaults = r.section(p.Value, line, "defaults")
		case "hosts":
			doc.hosts = r.hosts(p.Value, line)
		default:
			r.field(doc.top.fields, p)
		}
	}
	return doc
}

// syntax reports what the YAML library says, without its picture of the file.
func (r *reader) syntax(err error) {
	var positioned interface {
		GetMessage() string
		GetToken() *token.Token
	}
	if errors.As(err, &positioned) && positioned.GetToken() != nil {
		r.failf(positioned.GetToken().Position.Line, "", "", "%s", positioned.GetMessage())
		return
	}
	r.failf(0, "", "", "%v", err)
}

// mapping returns the pairs of a mapping; an empty value has none.
func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	case *ast.NullNode:
		return nil, true
	}
	return nil, false
}

func keyOf(p *ast.MappingValueNode) (key string, line int) {
	t := p.Key.GetToken()
	return t.Value, t.Position.Line
}

// hosts reads the list of machines.
func (r *reader) hosts(n ast.Node, line int) []section {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		r.failf(line, "", "hosts", "not a list: begin each host with \"- name:\"")
		return nil
	}
	if len(list.Values) > maxHosts {
		r.failf(line, "", "hosts", "more than %d", maxHosts)
		return nil
	}
	var out []section
	for _, v := range list.Values {
		out = append(out, r.section(v, v.GetToken().Position.Line, "host"))
	}
	return out
}

// section reads the fields of one machine, or of the defaults.
func (r *reader) section(n ast.Node, line int, what string) section {
	s := section{fields: map[string]field{}, line: line}
	pairs, ok := mapping(n)
	if !ok {
		r.failf(line, "", what, "not a set of fields")
	}
	for i, p := range pairs {
		if i == 0 {
			_, s.line = keyOf(p)
		}
		r.field(s.fields, p)
	}
	return s
}

// field reads one field, a text or a list of texts.
func (r *reader) field(into map[string]field, p *ast.MappingValueNode) {
	key, line := keyOf(p)
	f := field{line: line}
	values := []ast.Node{p.Value}
	if list, ok := p.Value.(*ast.SequenceNode); ok {
		f.many, values = true, list.Values
	}
	for _, v := range values {
		t, ok := scalar(v)
		if !ok {
			r.failf(line, "", key, "neither a text nor a list of texts")
			return
		}
		f.list = append(f.list, t)
	}
	into[key] = f
}

// scalar returns a text, number, truth value or nothing as it was written.
func scalar(n ast.Node) (text, bool) {
	line := 0
	if t := n.GetToken(); t != nil {
		line = t.Position.Line
	}
	switch n := n.(type) {
	case *ast.StringNode:
		return text{n.Value, line}, true
	case *ast.LiteralNode:
		return text{n.Value.Value, line}, true
	case *ast.NullNode:
		return text{"", line}, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return text{n.GetToken().Value, line}, true
	}
	return text{}, false
}
