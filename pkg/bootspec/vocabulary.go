package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Vocabulary is an index of the names in the tables, for many lookups.
type Vocabulary struct {
	rows  map[string]Parameter // by each of their names
	names []spelling           // to compare mistyped names with
	kinds []kindWord           // in the order of their table
	other []otherWord

	secrets []string // names of secrets' parameters, in lower case
}

// kindWord is a word of kindTable.
type kindWord struct {
	name  string
	begin bool   // name is a prefix
	value string // the only value that requests the kind; empty: any value
	off   bool   // the word switches the kind off
	kind  *kind
}

// otherWord is a word of insteadTable.
type otherWord struct {
	name  string
	begin bool
	text  string
}

// NewVocabulary returns the index of all tables.
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

// find returns the row of a key and the index of its target, from 0: .2 to .9 may follow the names
// of targets' parameters.
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

// ForInitramfs reports whether key is a parameter that Parse reads, has a reserved prefix, may name
// a secret, or is a word of another initramfs. Other mistyped names may be the real init's. The
// real init gets neither arguments nor environment variables of such names.
func (v *Vocabulary) ForInitramfs(key string) bool {
	_, _, ok := v.find(key)
	word, _ := v.kindOf(cmdline.Param{Key: key})
	return ok || word.kind != nil || v.instead(key) != "" || hasReservedPrefix(key) || v.secretKey(key)
}

// kindOf returns the entry of the kind that a word belongs to, an empty one if there is none. on
// reports whether the word with its value requests the kind.
func (v *Vocabulary) kindOf(p cmdline.Param) (word kindWord, on bool) {
	for _, w := range v.kinds {
		if !matches(w.name, w.begin, p.Key) {
			continue
		}
		switch {
		case w.off:
			return w, false
		case w.requests(p):
			return w, true
		case word.kind == nil:
			word = w
		}
	}
	return word, false
}

// whole reports whether a word switches all of its kind off: luks=no does, rd.luks.uuid=0 and
// boot=local do not.
func (w kindWord) whole() bool {
	name := strings.TrimPrefix(w.name, "rd.")
	return w.value == "" && (!strings.Contains(name, ".") || strings.TrimPrefix(name, "systemd.") == "verity")
}

// requests reports whether a word of that name with its value requests the kind.
func (w kindWord) requests(p cmdline.Param) bool {
	switch w.value {
	case "":
		return !switchedOff(p)
	case "*": // boot=DEVICE is another word: dracut's in FIPS mode
		return p.HasValue && p.Value != "local" && p.Value != "" && strings.Trim(p.Value, "abcdefghijklmnopqrstuvwxyz_-") == ""
	}
	return p.HasValue && p.Value == w.value
}

// instead returns what to write instead of a word of another initramfs, "" if there is no entry.
func (v *Vocabulary) instead(key string) string {
	for _, w := range v.other {
		if matches(w.name, w.begin, key) {
			return w.text
		}
	}
	return ""
}

// matches reports whether a key is a word of a table, or begins with it if begin is set.
func matches(name string, begin bool, key string) bool {
	return key == name || begin && strings.HasPrefix(key, name)
}
