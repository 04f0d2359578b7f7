package bootspec

import (
	"reflect"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Outcome is what became of a word.
type Outcome = outcome

// The fates of words.
const (
	OtherProgram = otherProgram
	Accepted     = accepted
	Refused      = refused
	Warned       = warned
)

// Word returns the outcome of a single word, and whether it changes the plan.
func Word(p cmdline.Param) (became Outcome, effect bool) {
	ps := parser{known: NewVocabulary()}
	ps.words(cmdline.Line{Params: []cmdline.Param{p}}, func(_ cmdline.Param, f Outcome) { became = f })
	ps.known, ps.current, ps.touched, ps.bareSecret = nil, 0, false, false
	return became, !reflect.DeepEqual(ps, parser{})
}

// Kinds returns the names of what is not supported, each with its words.
func Kinds() map[string]string {
	out := map[string]string{}
	for _, k := range kinds() {
		out[k.name] = strings.ReplaceAll(" "+strings.Join(k.words, " "), " !", " ")
	}
	return out
}

// Ours, Secret and Secrets look words up in a vocabulary of their own.
func ForInitramfs(key string) bool { return NewVocabulary().ForInitramfs(key) }

// Secret is Vocabulary.Secret.
func Secret(p cmdline.Param) bool { return NewVocabulary().Secret(p) }

// Secrets reports whether all values of a parameter are secrets.
func Secrets(key string) bool { return NewVocabulary().secretKey(key) }

// SecretNames returns the names by which Redact finds secrets.
func SecretNames() []string { return secretNames() }

// Creates and HasUpper are the methods of Net with these names.
func (n Net) Creates(name string) bool { return n.creates(name) }

func (n Net) HasUpper(name string) bool { return n.hasUpper(name) }
