package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Vocabulary is what the names of parameters mean. It is made of the tables once for all the words
// that are looked up in it.
type Vocabulary struct {
	rows  map[string]Parameter // by each of their names
	names []spelling           // that may be mistyped
	kinds []kindWord           // in the order of their table
	other []otherWord

	secrets []string // names of secrets' parameters, in lower case
}

// kindWord is a word of kindTable.
type kindWord struct {
	name  string
	begin bool   // name is the beginning
	value string // the only one that asks for the kind; any does where it is empty
	off   bool   // the word switches the kind off
	kind  *kind
}

// otherWord is a word of insteadTable.
type otherWord struct {
	name  string
	begin bool
	text  string
}

// NewVocabulary makes it.
func NewVocabulary() *Vocabulary {
	v := &Vocabulary{rows: map[string]Parameter{}, secrets: secretNames()}
	for _, p := range Table() {
		for _, name := range p.Names() {
			v.rows[name] = p
			if p.Key != "doscsi" { // words of others that do nothing
				v.names = append(v.names, spelling{name, letterSet(name)})
			}
		}
	}
	kinds := kinds()
	for i := range kinds {
		for _, word := range kinds[i].words {
			w := kindWord{kind: &kinds[i]}
			w.name, w.off = strings.CutPrefix(word, "!")
			w.name, w.value, _ = strings.Cut(w.name, "=")
			w.name, w.begin = strings.CutSuffix(w.name, "*")
			v.kinds = append(v.kinds, w)
		}
	}
	for _, row := range rows(insteadTable) {
		for word := range strings.FieldsSeq(row[0]) {
			name, begin := strings.CutSuffix(word, "*")
			v.other = append(v.other, otherWord{name, begin, row[1]})
		}
	}
	return v
}

// find returns the row of a key, and for which target it is, from 0: behind the names of targets'
// parameters may stand .2 to .9.
func (v *Vocabulary) find(key string) (row Parameter, target int, ok bool) {
	row, ok = v.rows[key]
	if ok {
		return row, 0, true
	}
	n := len(key) - 2
	if n < 1 || key[n] != '.' || key[n+1] < '1' || key[n+1] > '0'+maxTargets {
		return row, 0, false
	}
	row, ok = v.rows[key[:n]]
	if !ok || !slices.ContainsFunc(targetParameters(), func(p Parameter) bool { return p.Key == row.Key }) {
		return Parameter{}, 0, false
	}
	return row, int(key[n+1] - '1'), true
}

// Ours tells whether key is a parameter that Parse understands, one that looks like ours or like
// that of a secret, or a word of another initramfs. One that may be mistyped may be the real init's
// too. The real init gets neither argv words nor environment variables of such names.
func (v *Vocabulary) Ours(key string) bool {
	_, _, ok := v.find(key)
	word, _ := v.kindOf(cmdline.Param{Key: key})
	return ok || word.kind != nil || v.instead(key) != "" || looksOurs(key) || v.secretKey(key)
}

// kindOf returns the word that says for which kind a word asks, one without a kind if that is
// nothing here. It is not on if the word can ask for that and does not, with the value that it has.
func (v *Vocabulary) kindOf(p cmdline.Param) (word kindWord, on bool) {
	for _, w := range v.kinds {
		if !matches(w.name, w.begin, p.Key) {
			continue
		}
		switch {
		case w.off:
			return w, false
		case w.asks(p):
			return w, true
		case word.kind == nil:
			word = w
		}
	}
	return word, false
}

// whole tells whether a word that is off is about all of its kind: as luks=no is, and
// rd.luks.uuid=0 and boot=local are not.
func (w kindWord) whole() bool {
	name := strings.TrimPrefix(w.name, "rd.")
	return w.value == "" && (!strings.Contains(name, ".") || strings.TrimPrefix(name, "systemd.") == "verity")
}

// asks tells whether a word of that name asks for the kind with the value it has.
func (w kindWord) asks(p cmdline.Param) bool {
	switch w.value {
	case "":
		return !switchedOff(p)
	case "*": // boot=DEVICE is another word: dracut's in FIPS mode
		return p.HasValue && p.Value != "local" && p.Value != "" && strings.Trim(p.Value, "abcdefghijklmnopqrstuvwxyz_-") == ""
	}
	return p.HasValue && p.Value == w.value
}

// instead returns what to write for a word of another initramfs, "" if it is none of these.
func (v *Vocabulary) instead(key string) string {
	for _, w := range v.other {
		if matches(w.name, w.begin, key) {
			return w.text
		}
	}
	return ""
}

// matches tells whether a key is a word of a table, or begins as one.
func matches(name string, begin bool, key string) bool {
	return key == name || begin && strings.HasPrefix(key, name)
}
