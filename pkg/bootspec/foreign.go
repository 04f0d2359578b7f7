package bootspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// fate is what became of a word of the command line.
type fate int

const (
	notOurs  fate = iota // it is for another program, or for none
	taken                // a parameter: its setter has read it
	refused              // a parameter whose value is an error
	answered             // of another initramfs, or mistyped: a warning names it
)

// asked is a word for something that is not supported, or against it.
type asked struct {
	cmdline.Param
	word kindWord
	on   bool
}

// foreign answers a word that is no parameter: one that asks for what is not supported, one that
// has another name here, one that is mistyped.
func (ps *parser) foreign(p cmdline.Param) fate {
	if word, on := ps.known.kindOf(p); word.kind != nil {
		ps.asked = append(ps.asked, asked{p, word, on})
		if on {
			return answered
		}
		return taken
	}
	if text := ps.known.instead(p.Key); text != "" {
		ps.warnf("%s has no effect here: %s", clip(ps.source(p)), text)
		return answered
	}
	if near := ps.known.meant(p.Key); looksOurs(p.Key) || len(near) > 0 {
		ps.warnf("%s", unknown(ps.known.ShowKey(p.Key), near))
		return answered
	}
	return notOurs
}

// ignored takes rd.iscsiroot.ignore=: kinds whose words are known to do nothing.
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

// kindNames lists them all.
func kindNames() string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return strings.Join(names, ", ")
}

// noFirmware takes genkernel's iscsi_noibft.
func (ps *parser) noFirmware(p cmdline.Param) error {
	if !off(p.Value) {
		set(ps, &ps.plan.Firmware, false, p)
	}
	return nil
}

// Ignores tells whether the words of a kind are known to do nothing.
func (p Plan) Ignores(kind string) bool {
	return slices.Contains(strings.Split(p.Ignore.V, ","), kind)
}

// warnUnsupported warns of what was asked for and is not supported, once for each kind.
func (ps *parser) warnUnsupported() {
	if len(ps.asked) == 0 {
		return
	}
	for _, k := range kinds() {
		words := ps.askedFor(k.name)
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

// askedFor returns the words that ask for a kind and are not silenced.
func (ps *parser) askedFor(kind string) (words []string) {
	for i, p := range ps.asked {
		if p.on && p.word.kind.name == kind && !ps.silenced(i) {
			words = append(words, ps.source(p.Param))
		}
	}
	return words
}

// silenced tells whether a word that asks for something does not count: the last value of a word
// does, and a word that is off takes along those that are its name, a dot and more, as rd.lvm=0
// does rd.lvm.vg=; without a dot of its own all of its kind, as luks=no does rd.luks.uuid=.
func (ps *parser) silenced(i int) bool {
	p := ps.asked[i]
	for j, other := range ps.asked {
		if j > i && other.Key == p.Key || !other.on && (strings.HasPrefix(p.Key, other.Key+".") || other.word.whole() && other.word.kind == p.word.kind && other.Key != p.Key) {
			return true
		}
	}
	return false
}

// list joins the first few words.
func list(words []string) string {
	const most = 3
	text := clip(strings.Join(words[:min(len(words), most)], ", "))
	if n := len(words) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}
