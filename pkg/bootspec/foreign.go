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

// foreign answers a word that is no parameter: one that asks for what is not
// supported, one that has another name here, one that is mistyped.
func (ps *parser) foreign(p cmdline.Param) fate {
	if k, on := kindOf(p); k != nil {
		ps.asked = append(ps.asked, p)
		if on {
			return answered
		}
		return taken
	}
	if text := instead(p.Key); text != "" {
		ps.warnf("%s does nothing here: %s", source(p), text)
		return answered
	}
	if looksOurs(p.Key) || len(misspelled(p.Key)) > 0 {
		ps.warnf("%s", unknown(p))
		return answered
	}
	return notOurs
}

// instead returns what to write for a word of another initramfs, "" if it is
// none of these.
func instead(key string) string {
	for _, w := range []struct{ words, text string }{
		{"break", "write rd.break=STEP"}, // initramfs-tools(7), mkinitcpio(8)
		{"blacklist noload", "write modprobe.blacklist=NAME"},
		{"doload firstmods earlymodules rdloaddriver", "write rd.driver.pre=NAME"},
		{"disablehooks", "there are no hooks; write rd.break=STEP to stop before a step"},
		{"scandelay", "disks are waited for; write rootdelay=SECONDS for a fixed time"},
		{"rootfs", "write rootfstype=TYPE"},
		{"subdir", "write root= of a file system that holds the real system at its top"},
		{"init_opts", "write what the real init shall get behind -- at the end of the command line"},
		{"iscsi_debug linuxrc rdinfo rddebug rdinitdebug", "write rd.debug"},
		{"rdshell", "write rd.shell"},
		{"rdbreak", "write rd.break=STEP"},
		{"rdblacklist", "write modprobe.blacklist=NAME"},
		{"rd.retry", "write rd.timeout=SECONDS"},
		{"rd.cmdline", "write rd.break=modules, and at the shell retry NAME=VALUE"},
		{"iscsi", "write iscsi_a=ADDRESS:PORT and iscsi_t=NAME"}, // live-boot(7): SERVER[,PORT];TARGET
	} {
		if slices.Contains(strings.Fields(w.words), key) {
			return w.text
		}
	}
	if strings.HasPrefix(key, "gk.") {
		return "it is genkernel's"
	}
	return ""
}

// ignored takes rd.iscsiroot.ignore=: kinds whose words are known to do nothing.
func (ps *parser) ignored(p cmdline.Param) error {
	for one := range strings.SplitSeq(p.Value, ",") {
		if !slices.ContainsFunc(kinds(), func(k kind) bool { return k.name == one }) {
			return bad(p, "there is no such kind to ignore", "some of "+kindNames()+", with commas")
		}
	}
	set(ps, &ps.plan.Ignore, p.Value, p)
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
	set(ps, &ps.plan.Firmware, off(p.Value), p)
	return nil
}

// Ignores tells whether the words of a kind are known to do nothing.
func (p Plan) Ignores(kind string) bool {
	return slices.Contains(strings.Split(p.Ignore.V, ","), kind)
}

// sayAsked warns of what was asked for and is not supported, once for each kind.
func (ps *parser) sayAsked() {
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
		ps.warnf("%s %s for %s, which is not supported: %s; rd.iscsiroot.ignore=%s leaves this warning out", text, ask, k.what, k.then, k.name)
	}
}

// askedFor returns the words that ask for a kind after all that was said: the
// last value of a word counts, and a word that is off takes along those that are
// its name, a dot and more, as rd.lvm=0 does rd.lvm.vg=.
func (ps *parser) askedFor(kind string) (words []string) {
	last := map[string]cmdline.Param{}
	for _, p := range ps.asked {
		last[p.Key] = p
	}
	for _, p := range ps.asked {
		k, on := kindOf(last[p.Key])
		for key, other := range last {
			if _, up := kindOf(other); !up && strings.HasPrefix(p.Key, key+".") {
				on = false
			}
		}
		if from := source(last[p.Key]); on && k.name == kind && !slices.Contains(words, from) {
			words = append(words, from)
		}
	}
	return words
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
