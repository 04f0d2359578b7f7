package bootspec

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"

	"github.com/iscsiroot/iscsiroot/pkg/regular"
)

// Files of an image that hold parameters, in addition to PolicyFile.
const (
	// DefaultFile is a line of parameters that are used if no other source gives them.
	DefaultFile = "/etc/iscsiroot/default"
	// cmdlineFile and cmdlineDir are dracut's: parameters before those of the kernel command
	// line.
	cmdlineFile = "/etc/cmdline"
	cmdlineDir  = "/etc/cmdline.d"
	// debianFile and initiatorFile are open-iscsi's in Debian.
	debianFile    = "/etc/iscsi.initramfs"
	initiatorFile = "/etc/initiatorname.iscsi"
)

// FromDefault is the origin of parameters in DefaultFile.
const FromDefault = "the image's default"

// maxFile is the limit of a file of parameters in bytes.
const maxFile = 64 << 10

// isDefault reports whether a value is from a file over which firmware and DHCP take precedence.
func isDefault(from string) bool {
	return strings.Contains(from, " in "+FromDefault) || strings.Contains(from, " in "+initiatorFile)
}

// inFile reports whether a value is from a file over which the command line takes precedence.
func inFile(from string) bool { return isDefault(from) || strings.Contains(from, " in /etc/") }

// level returns the precedence of a value's source: 0 for the image's default, 2 for its policy, 1
// for others.
func level(from string) int {
	switch {
	case isDefault(from):
		return 0
	case strings.Contains(from, " in "+FromPolicy):
		return 2
	}
	return 1
}

// highestLevel keeps the values of a list that are of the highest level in it.
func highestLevel[T any](list []Value[T]) []Value[T] {
	best := 0
	for _, v := range list {
		best = max(best, level(v.From))
	}
	return slices.DeleteFunc(list, func(v Value[T]) bool { return level(v.From) < best })
}

// withoutDefault drops a value of the image's default.
func withoutDefault[T any](v Value[T]) Value[T] {
	if isDefault(v.From) {
		return Value[T]{}
	}
	return v
}

// Gather adds the parameters in the files of an image to a kernel command line; the image is the
// root of fsys. They are in ascending order of precedence: defaults, dracut's and Debian's files,
// the command line, the policy. A missing file is skipped; the warnings name files and lines that
// cannot be read.
func Gather(fsys fs.FS, line cmdline.Line) (all cmdline.Line, warnings []string) {
	g := &gatherer{fsys: fsys}
	if text, ok := g.read(initiatorFile); ok {
		g.add(initiatorName(text), initiatorFile)
	}
	g.words(DefaultFile, FromDefault)
	if text, ok := g.read(debianFile); ok {
		params, warns := debianConfig(text)
		g.add(params, debianFile)
		g.warnings = append(g.warnings, warns...)
	}
	names, _ := fs.Glob(fsys, strings.TrimPrefix(cmdlineDir, "/")+"/*.conf") // the pattern is good
	for _, name := range names {
		g.words("/"+name, path.Join("/", name))
	}
	g.words(cmdlineFile, cmdlineFile)
	g.line.Params = append(g.line.Params, line.Params...)
	g.line.InitArgs = line.InitArgs
	g.words(PolicyFile, FromPolicy)
	return g.line, g.warnings
}

type gatherer struct {
	fsys     fs.FS
	line     cmdline.Line
	warnings []string
}

// read returns the content of a file; nothing if it does not exist, cannot be read, or is longer
// than maxFile.
func (g *gatherer) read(name string) (string, bool) {
	b, err := regular.Read(g.fsys, strings.TrimPrefix(name, "/"), maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist): // most images have none of them
	case errors.Is(err, regular.ErrTooLarge):
		g.warnings = append(g.warnings, fmt.Sprintf("%s is ignored: it has more than %d bytes", name, maxFile))
	case err != nil:
		g.warnings = append(g.warnings, fmt.Sprintf("%s is ignored: %v", name, err))
	}
	return string(b), err == nil
}

func (g *gatherer) add(params []cmdline.Param, origin string) {
	g.line = Add(g.line, cmdline.Line{Params: params}, origin)
}

// words reads a file of parameters.
func (g *gatherer) words(name, origin string) {
	text, ok := g.read(name)
	if !ok {
		return
	}
	line, err := ParseFile(text, origin)
	if err != nil {
		g.warnings = append(g.warnings, fmt.Sprintf("%s is ignored: %v", name, err))
		return
	}
	g.line.Params = append(g.line.Params, line.Params...)
}

// ParseFile reads the text of a file of parameters, such as PolicyFile, both for the build and for
// the boot: a text that is too long would be ignored at the boot. Lines that begin with # are
// comments. origin is the origin of its parameters.
func ParseFile(text, origin string) (cmdline.Line, error) {
	if len(text) > maxFile {
		return cmdline.Line{}, fmt.Errorf("it has more than %d bytes", maxFile)
	}
	b := []byte(text)
	for at := 0; at < len(b); {
		end := len(b)
		if i := bytes.IndexByte(b[at:], '\n'); i >= 0 {
			end = at + i
		}
		if bytes.HasPrefix(bytes.TrimLeft(b[at:end], " \t"), []byte("#")) {
			for i := at; i < end; i++ {
				b[i] = ' ' // so that offsets in the file stay the same
			}
		}
		at = end + 1
	}
	return Add(cmdline.Line{}, cmdline.Line{Params: cmdline.Parse(string(b)).Params}, origin), nil
}

// initiatorName reads open-iscsi's InitiatorName=.
func initiatorName(text string) []cmdline.Param {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "InitiatorName="); ok {
			return []cmdline.Param{{Key: "iscsi_initiator", Value: strings.TrimSpace(v), HasValue: true, Pos: strings.Index(text, line)}}
		}
	}
	return nil
}

// debianKeys are the variables of Debian's file; each is the name of a parameter in capitals.
func debianKeys() []string {
	return []string{
		"ISCSI_AUTO", "ISCSI_INITIATOR", "ISCSI_TARGET_NAME", "ISCSI_TARGET_IP", "ISCSI_TARGET_PORT", "ISCSI_TARGET_GROUP",
		"ISCSI_USERNAME", "ISCSI_PASSWORD", "ISCSI_IN_USERNAME", "ISCSI_IN_PASSWORD",
	}
}

// debianConfig reads KEY=value and KEY="value". The file is a shell script; other lines are named
// in a warning without their text, which may hold a secret.
func debianConfig(text string) (params []cmdline.Param, warnings []string) {
	pos, number := 0, 0
	for line := range strings.Lines(text) {
		number++
		start := pos
		pos += len(line)
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if !ok || !slices.Contains(debianKeys(), key) {
			warnings = append(warnings, fmt.Sprintf("%s line %d cannot be parsed: write one of %s as KEY=\"value\"", debianFile, number, strings.Join(debianKeys()[:4], ", ")))
			continue
		}
		value, ok = shellWord(value)
		if !ok {
			warnings = append(warnings, fmt.Sprintf("%s line %d: the value of %s is not plain text in quotes and is ignored", debianFile, number, key))
			continue
		}
		if key == "ISCSI_TARGET_IP" {
			value = strings.Join(strings.Fields(value), ",")
		}
		if value != "" {
			params = append(params, cmdline.Param{Key: strings.ToLower(key), Value: value, HasValue: true, Pos: start})
		}
	}
	return params, warnings
}

// shellWord reads a word of a shell script that has no expansions.
func shellWord(s string) (string, bool) {
	if n := len(s); n > 0 && (s[0] == '"' || s[0] == '\'') {
		quote := s[:1]
		word, rest, ok := strings.Cut(s[1:], quote)
		rest = strings.TrimSpace(rest)
		plain := quote == "'" || !strings.ContainsAny(word, "$`\\")
		return word, ok && plain && (rest == "" || rest[0] == '#')
	}
	word, rest, _ := strings.Cut(s, " ")
	rest = strings.TrimSpace(rest)
	return word, !strings.ContainsAny(word, "$`\\\"';&|()<>") && (rest == "" || rest[0] == '#')
}
