package bootspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// outcome is the result of reading a word of the command line.
type outcome int

const (
	otherProgram outcome = iota // for another program, or for none
	accepted                    // a parameter that its setter has read
	refused                     // a parameter whose value is an error
	warned                      // of another initramfs, or mistyped, and named in a warning
)

// unsupportedWord is a word that requests an unsupported feature, or switches it off.
type unsupportedWord struct {
	cmdline.Param
	word kindWord
	on   bool
}

// otherWord warns of a word that is not a parameter: one that requests an unsupported feature, one
// that has another name here, one that is mistyped.
func (ps *parser) otherWord(p cmdline.Param) outcome {
	if word, on := ps.known.kindOf(p); word.kind != nil {
		ps.unsupported = append(ps.unsupported, unsupportedWord{p, word, on})
		if on {
			return warned
		}
		return accepted
	}
	if text := ps.known.instead(p.Key); text != "" {
		ps.warnf("%s has no effect here: %s", clip(ps.source(p)), text)
		return warned
	}
	if near := ps.known.suggestions(p.Key); hasReservedPrefix(p.Key) || len(near) > 0 {
		ps.warnf("%s", unknown(ps.known.ShowKey(p.Key), near))
		return warned
	}
	return otherProgram
}

// ignored reads rd.iscsiroot.ignore=: kinds of unsupported features without a warning.
func (ps *parser) ignored(p cmdline.Param) error {
	names := strings.Split(kindNames(), ", ")
	for _, one := range strings.Split(Redact(p.Value), ",") {
		if !slices.Contains(names, one) {
			ps.warnf("%s: unknown kind %q: write some of %s, with commas", source(p), clip(one), kindNames())
			continue
		}
		ps.plan.Ignore = Value[string]{strings.TrimPrefix(ps.plan.Ignore.V+","+one, ","), source(p)}
	}
	return nil
}

// kindNames lists the names of all kinds.
func kindNames() string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return strings.Join(names, ", ")
}

// noFirmware reads genkernel's iscsi_noibft.
func (ps *parser) noFirmware(p cmdline.Param) error {
	if !off(p.Value) {
		set(ps, &ps.plan.Firmware, false, p)
	}
	return nil
}

// Ignores reports whether the words of a kind are ignored without a warning.
func (p Plan) Ignores(kind string) bool {
	return slices.Contains(strings.Split(p.Ignore.V, ","), kind)
}

// warnUnsupported warns of requests for unsupported features, once for each kind.
func (ps *parser) warnUnsupported() {
	if len(ps.unsupported) == 0 {
		return
	}
	for _, k := range kinds() {
		words := ps.wordsFor(k.name)
		if len(words) == 0 || ps.plan.Ignores(k.name) {
			continue
		}
		text, ask := list(words), "asks"
		if len(words) > 1 {
			ask = "ask"
		}
		if k.name == "overlay" {
			ps.plan.Overlay = text
		}
		ps.warnf("%s %s for %s, which is not supported: %s; rd.iscsiroot.ignore=%s suppresses this warning", text, ask, k.what, k.instead, k.name)
	}
}

// wordsFor returns the words that request a kind and are not overridden.
func (ps *parser) wordsFor(kind string) (words []string) {
	for i, p := range ps.unsupported {
		if p.on && p.word.kind.name == kind && !ps.overridden(i) {
			words = append(words, ps.source(p.Param))
		}
	}
	return words
}

// overridden reports whether a later or a more general word overrides a request: the last value of
// a word is used, and a word that is off overrides those that begin with its name and a dot, as
// rd.lvm=0 does rd.lvm.vg=; if it has no dot itself it overrides all of its kind, as luks=no does
// rd.luks.uuid=.
func (ps *parser) overridden(i int) bool {
	p := ps.unsupported[i]
	for j, other := range ps.unsupported {
		if j > i && other.Key == p.Key || !other.on && (strings.HasPrefix(p.Key, other.Key+".") || other.word.whole() && other.word.kind == p.word.kind && other.Key != p.Key) {
			return true
		}
	}
	return false
}

// list joins at most three words and the number of the others.
func list(words []string) string {
	const most = 3
	text := clip(strings.Join(words[:min(len(words), most)], ", "))
	if n := len(words) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}
