package kmod

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/words"

	"github.com/iscsiroot/iscsiroot/pkg/regular"
)

// The files of an index, relative to the tree.
const (
	depFile            = "modules.dep"
	aliasFile          = "modules.alias"
	softdepFile        = "modules.softdep"
	orderFile          = "modules.order"
	builtinFile        = "modules.builtin"
	builtinModinfoFile = "modules.builtin.modinfo"
)

// IndexFiles returns the names of the files of an index, relative to the tree.
func IndexFiles() []string {
	return []string{depFile, aliasFile, softdepFile, orderFile, builtinFile, builtinModinfoFile}
}

// Limits. Debian's largest index (amd64, 6.1) has 4023 modules, 1.3 MB of aliases and lines below 2
// KiB.
const (
	maxFile    = 32 << 20 // bytes
	maxLine    = 64 << 10 // bytes
	maxModules = 1 << 16
	maxDamage  = 5 // errors of one file that are reported
)

// Read reads the index of a module tree; fsys is rooted at lib/modules/RELEASE. A missing
// modules.dep is an error that wraps fs.ErrNotExist; any other file may be missing. Damage of any
// kind is an error.
func Read(fsys fs.FS) (*Index, error) {
	x, damage := read(fsys, "")
	if len(damage) > 0 {
		return nil, damage[0]
	}
	return x, nil
}

// read returns what can be read of an index, and its errors.
func read(fsys fs.FS, release string) (x *Index, damage []error) {
	x = &Index{release: release, byName: map[string]int32{}, softdeps: map[string]softdep{}, builtin: map[string]bool{}}
	for _, f := range []struct {
		name     string
		parse    func(text string) []error
		required bool
	}{
		{depFile, x.parseDep, true},
		{aliasFile, x.parseAlias, false},
		{softdepFile, x.parseSoftdep, false},
		{builtinFile, x.parseBuiltin, false},
		{builtinModinfoFile, x.parseBuiltinModinfo, false},
	} {
		text, err := readText(fsys, f.name)
		if errors.Is(err, fs.ErrNotExist) && !f.required {
			continue
		}
		bad := []error{err}
		if err == nil {
			bad = f.parse(text)
		}
		for _, err := range bad {
			damage = append(damage, fmt.Errorf("read %s: %w", f.name, err))
		}
	}
	return x, damage
}

// readText returns a whole file, which may hold at most maxFile bytes.
func readText(fsys fs.FS, name string) (string, error) {
	b, err := regular.Read(fsys, name, maxFile)
	if errors.Is(err, regular.ErrTooLarge) {
		err = fmt.Errorf("longer than %d bytes", maxFile)
	}
	return string(b), err
}

// eachLine calls f for every line that is not blank or a comment, trimmed, with its number from 1.
// It continues after an error and returns the first maxDamage errors.
func eachLine(text string, f func(line string, n int) error) (damage []error) {
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		var err error
		switch trimmed := strings.TrimSpace(line); {
		case len(line) > maxLine:
			err = fmt.Errorf("longer than %d bytes", maxLine)
		case trimmed != "" && trimmed[0] != '#':
			err = f(trimmed, n)
		}
		if err != nil && len(damage) < maxDamage {
			damage = append(damage, fmt.Errorf("line %d: %w", n, err))
		}
	}
	return damage
}

// parseDep parses "PATH: PATH...", one module a line. Any other line means a damaged file, and so
// does a last line without a newline.
func (x *Index) parseDep(text string) []error {
	damage := eachLine(text, func(line string, n int) error {
		path, deps, ok := strings.Cut(line, ":")
		path = x.below(path)
		name := nameOf(path)
		switch {
		case !ok:
			return errors.New("no colon after the path of a module")
		case !fs.ValidPath(path) || strings.ContainsFunc(path, words.IsBlankOrControl) || name == "":
			return fmt.Errorf("%q is not a path of a module inside the tree", path)
		case len(x.mods) == maxModules:
			return fmt.Errorf("more than %d modules", maxModules)
		}
		if _, twice := x.byName[name]; twice {
			return nil // the kernel loads one module of a name; depmod lists the preferred one first
		}
		x.byName[name] = int32(len(x.mods))
		x.mods = append(x.mods, record{Module: Module{Name: name, Path: path}, deps: strings.TrimSpace(deps), line: n})
		return nil
	})
	if text != "" && !strings.HasSuffix(text, "\n") {
		damage = append(damage, errors.New("cut off: the last line has no end"))
	}
	return damage
}

// below returns a path of modules.dep relative to the tree. An absolute one is accepted if it lies
// in a tree of this release, with any directory above lib/modules: old depmods write such paths,
// with the directory of -b.
func (x *Index) below(name string) string {
	name = strings.TrimSpace(name)
	if name == "" {
		return ""
	}
	name = path.Clean(name)
	if name[0] != '/' {
		return name
	}
	_, rest, _ := strings.Cut(name, "/lib/modules/")
	if release, inside, ok := strings.Cut(rest, "/"); ok && (x.release == "" || release == x.release) {
		return inside
	}
	return name
}

// parseAlias parses "alias PATTERN MODULE" and ignores all other lines, as modprobe does.
func (x *Index) parseAlias(text string) []error {
	x.aliases.grow(strings.Count(text, "\n") + 1)
	damage := eachLine(text, func(line string, _ int) error {
		rest, ok := strings.CutPrefix(line, "alias ")
		i := strings.LastIndexAny(rest, " \t")
		if ok && i > 0 {
			x.aliases.add(strings.TrimSpace(rest[:i]), normalise(rest[i+1:]))
		}
		return nil
	})
	x.aliases.finish()
	return damage
}

// parseSoftdep parses "softdep MODULE pre: NAME... post: NAME..."; names before the first of the
// two words are ignored, as in libkmod. libkmod uses only the first line of a module; here all
// lines of a module add up, because depmod writes one line for each MODULE_SOFTDEP (btrfs has four)
// and one soft dependency too many does no harm.
func (x *Index) parseSoftdep(text string) []error {
	return eachLine(text, func(line string, _ int) error {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "softdep" {
			return nil
		}
		x.addSoftdep(normalise(words[1]), words[2:])
		return nil
	})
}

// addSoftdep adds soft dependencies to those of a module.
func (x *Index) addSoftdep(name string, words []string) {
	pre, post := parseSoftdepWords(words)
	s := x.softdeps[name]
	x.softdeps[name] = softdep{slices.Concat(s.pre, pre), slices.Concat(s.post, post)}
}

// parseSoftdepWords parses "pre: NAME... post: NAME...".
func parseSoftdepWords(words []string) (pre, post []string) {
	var list *[]string
	for _, w := range words {
		switch {
		case w == "pre:":
			list = &pre
		case w == "post:":
			list = &post
		case list != nil:
			*list = append(*list, w)
		}
	}
	return pre, post
}

// parseBuiltin parses one path a line.
func (x *Index) parseBuiltin(text string) []error {
	return eachLine(text, func(line string, _ int) error {
		if name := nameOf(line); name != "" {
			x.builtinPaths = append(x.builtinPaths, line)
			x.builtin[name] = true
		}
		return nil
	})
}

// parseBuiltinModinfo parses MODULE.KEY=VALUE records, each ended by a NUL, and keeps the aliases:
// without them fs-ext4 would not be found in a kernel that has ext4 built in.
func (x *Index) parseBuiltinModinfo(text string) []error {
	for text != "" {
		var rec string
		rec, text, _ = strings.Cut(text, "\x00")
		name, field, _ := strings.Cut(rec, ".")
		if pattern, ok := strings.CutPrefix(field, "alias="); ok && name != "" && pattern != "" {
			x.builtinAliases.add(pattern, normalise(name))
		}
	}
	x.builtinAliases.finish()
	return nil
}

// causeOf drops the path of an *fs.PathError, for a message that has named it.
func causeOf(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
