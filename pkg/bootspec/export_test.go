package bootspec

import (
	"reflect"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Fate is what became of a word.
type Fate = fate

// The fates of words.
const (
	NotOurs  = notOurs
	Taken    = taken
	Refused  = refused
	Answered = answered
)

// Word tells what became of a word that stands alone, and whether anything is
// otherwise because of it.
func Word(p cmdline.Param) (became Fate, effect bool) {
	var ps parser
	ps.words(cmdline.Line{Params: []cmdline.Param{p}}, func(_ cmdline.Param, f Fate) { became = f })
	ps.current, ps.touched = 0, false
	return became, !reflect.DeepEqual(ps, parser{})
}

// Kinds returns the names of what is not supported, each with its words.
func Kinds() map[string]string {
	out := map[string]string{}
	for _, row := range rows(kindTable) {
		out[row[0]] = row[3]
	}
	return out
}
