package lvm

import (
	"fmt"
	"strconv"
)

// section reads the typed values of a node. After the first error all are empty or zero, and err
// has it.
type section struct {
	name string
	node *node
	err  error
}

func (s *section) fail(key, format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("metadata: %s: %s %s", s.name, key, fmt.Sprintf(format, args...))
	}
}

// find returns a key's node, nil if there is none.
func (s *section) find(key string) *node {
	for i := range s.node.children {
		if s.node.children[i].key == key {
			return &s.node.children[i]
		}
	}
	return nil
}

func (s *section) has(key string) bool { return s.find(key) != nil }

// single returns the one value of a key.
func (s *section) single(key string) (value, bool) {
	n := s.find(key)
	if n == nil || len(n.values) != 1 {
		s.fail(key, "is missing, or is not a single value")
		return value{}, false
	}
	return n.values[0], true
}

// number reads one that has to be there, of at most so many bits.
func (s *section) number(key string, bits int) uint64 {
	v, ok := s.single(key)
	if !ok {
		return 0
	}
	n, err := v.number(bits)
	if err != nil {
		s.fail(key, "is %q, not a number of %d bits", clip(v.text), bits)
	}
	return n
}

// number reads a number as strtoll(3) does with base 0; what is negative is refused.
func (v value) number(bits int) (uint64, error) {
	if v.quoted {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseUint(v.text, 0, bits)
}

// optional reads a number of 32 bits which is 0 where it is left out.
func (s *section) optional(key string) uint32 {
	if !s.has(key) {
		return 0
	}
	return uint32(s.number(key, 32))
}

// text reads a string that has to be there.
func (s *section) text(key string) string {
	v, ok := s.single(key)
	if ok && !v.quoted {
		s.fail(key, "is not a string")
	}
	return v.text
}

func (s *section) optionalText(key string) string {
	if !s.has(key) {
		return ""
	}
	return s.text(key)
}

func (s *section) id() ID {
	text := s.text("id")
	if s.err != nil {
		return ""
	}
	id, err := ParseID(text)
	if err != nil {
		s.err = fmt.Errorf("metadata: %s: %w", s.name, err)
	}
	return id
}

// list reads strings.
func (s *section) list(key string) []string {
	n := s.find(key)
	if n == nil {
		s.fail(key, "is missing")
		return nil
	}
	var out []string
	for _, v := range n.values {
		if !v.quoted {
			s.fail(key, "has %q, which is not a string", clip(v.text))
			return nil
		}
		out = append(out, v.text)
	}
	return out
}

func (s *section) optionalList(key string) []string {
	if !s.has(key) {
		return nil
	}
	return s.list(key)
}

// sections calls a function for each section in the section key; that one may be missing.
func (s *section) sections(key string, each func(*section)) {
	n := s.find(key)
	if n == nil {
		return
	}
	for i := range n.children {
		if c := &n.children[i]; c.section && s.err == nil {
			s.child(c, each)
		}
	}
}

func (s *section) child(n *node, each func(*section)) {
	c := &section{name: s.name + "/" + n.key, node: n}
	each(c)
	s.err = c.err
}

// checkName fails for a name that a VG or an LV cannot have.
func (s *section) checkName(name string) {
	if !ValidName(name) {
		s.fail("name", "%q is not one of lvm", clip(name))
	}
}
