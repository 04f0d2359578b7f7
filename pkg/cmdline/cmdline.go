// Package cmdline reads the text of /proc/cmdline the way the kernel does.
//
// It does not interpret parameters: all keys are kept, in order; package bootspec interprets them.
package cmdline

import "strings"

// Param is one word of the command line. Key and Value have no quotes any more.
type Param struct {
	// Key is the text before the first '=', or the whole word.
	Key string
	// Value is the text after the first '='; empty if HasValue is false.
	Value string
	// HasValue distinguishes "key=" from "key".
	HasValue bool
	// Pos is the word's offset in the text in bytes, for messages that show the place.
	Pos int
	// Origin is the source of the word; empty: the kernel command line.
	Origin string
}

// String writes p in a form that Parse reads back as p, if p came from Parse.
func (p Param) String() string {
	word := p.Key
	if p.HasValue {
		word += "=" + p.Value
	}
	for i := range len(word) {
		if isSpace(word[i]) {
			return `"` + word + `"`
		}
	}
	return word
}

// Line is a parsed command line.
type Line struct {
	// Params are the words for the kernel and for us, in order.
	Params []Param
	// InitArgs are the words after a lone "--", which belong to the real init whatever they
	// look like.
	InitArgs []string
}

// Parse splits text into words as next_arg in the kernel's lib/cmdline.c does: blanks split, '"'
// toggles quoting anywhere in a word, there is no escape, and the quotes around a whole word or
// around a value are removed. It never fails: the kernel takes any text, and so do we.
func Parse(text string) Line {
	var l Line
	for pos := 0; ; {
		word, start, next := nextWord(text, pos)
		if word == "" {
			return l
		}
		pos = next
		p := split(word, start)
		// kernel/params.c parse_args: a lone "--" ends the parameters.
		if p.Key == "--" && !p.HasValue {
			l.InitArgs = rest(text, pos)
			return l
		}
		l.Params = append(l.Params, p)
	}
}

// rest returns the words from pos on, each as init will see it in its argv: with the same quotes
// removed.
func rest(text string, pos int) []string {
	var args []string
	for {
		word, start, next := nextWord(text, pos)
		if word == "" {
			return args
		}
		pos = next
		p := split(word, start)
		if p.HasValue {
			args = append(args, p.Key+"="+p.Value)
		} else {
			args = append(args, p.Key)
		}
	}
}

// nextWord returns the word at or after pos, its start and where to go on. The word is empty only
// at the end of text.
func nextWord(text string, pos int) (word string, start, next int) {
	for pos < len(text) && isSpace(text[pos]) {
		pos++
	}
	quoted := false
	i := pos
	for ; i < len(text); i++ {
		if isSpace(text[i]) && !quoted {
			break
		}
		if text[i] == '"' {
			quoted = !quoted
		}
	}
	return text[pos:i], pos, i
}

// split takes one word apart at the first '='. As in the kernel, a word that begins with a quote
// loses it together with a final one, and so does a value.
func split(word string, pos int) Param {
	quotedWord := false
	if strings.HasPrefix(word, `"`) {
		quotedWord = true
		word = strings.TrimSuffix(word[1:], `"`)
	}
	key, value, has := word, "", false
	// The kernel takes no '=' in the first place for the end of a key.
	if i := strings.IndexByte(word[min(1, len(word)):], '='); i >= 0 {
		key, value, has = word[:i+1], word[i+2:], true
	}
	if has && strings.HasPrefix(value, `"`) {
		value = value[1:]
		if !quotedWord {
			value = strings.TrimSuffix(value, `"`)
		}
	}
	return Param{Key: key, Value: value, HasValue: has, Pos: pos}
}

// isSpace is the kernel's isspace (lib/ctype.c) for the bytes of a command line; 0xa0 is a space in
// its Latin-1 table.
func isSpace(c byte) bool {
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0
}
