package kmod

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// The files of an index, relative to the tree.
const (
	depFile            = "modules.dep"
	aliasFile          = "modules.alias"
	softdepFile        = "modules.softdep"
	builtinFile        = "modules.builtin"
	builtinModinfoFile = "modules.builtin.modinfo"
)

// Limits. Debian's largest index (amd64, 6.1) has 4023 modules, 1.3 MB of aliases and lines below 2 KiB.
const (
	maxFile    = 32 << 20 // bytes
	maxLine    = 64 << 10 // bytes
	maxModules = 1 << 16
)

// Read reads the index of a module tree; fsys is rooted at lib/modules/RELEASE. A missing modules.dep is an error that
// wraps fs.ErrNotExist; any other file may be missing.
func Read(fsys fs.FS) (*Index, error) {
	x := &Index{byName: map[string]int32{}, softdeps: map[string]softdep{}, builtin: map[string]bool{}}
	for _, f := range []struct {
		name     string
		parse    func(text string) error
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
		if err == nil {
			err = f.parse(text)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.name, err)
		}
	}
	return x, nil
}

// readText returns a whole file, which may hold at most maxFile bytes.
func readText(fsys fs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b strings.Builder
	if st, err := f.Stat(); err == nil && st.Size() <= maxFile {
		b.Grow(int(st.Size()))
	}
	n, err := io.Copy(&b, io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if n > maxFile {
		return "", fmt.Errorf("longer than %d bytes", maxFile)
	}
	return b.String(), nil
}

// eachLine calls f for every line that is not blank or a comment, trimmed, with its number from 1.
func eachLine(text string, f func(line string, n int) error) error {
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if len(line) > maxLine {
			return fmt.Errorf("line %d: longer than %d bytes", n, maxLine)
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := f(line, n); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

// parseDep takes "PATH: PATH...", one module a line. A line that is nothing of the kind means a damaged file: a boot
// that went on without a module would fail later and further from the cause.
func (x *Index) parseDep(text string) error {
	return eachLine(text, func(line string, n int) error {
		path, deps, ok := strings.Cut(line, ":")
		name := nameOf(path)
		switch {
		case !ok:
			return errors.New("no colon after the path of a module")
		case !fs.ValidPath(path) || strings.ContainsAny(path, " \t\v\f\r") || name == "":
			return fmt.Errorf("%q is no path of a module inside the tree", path)
		case len(x.mods) == maxModules:
			return fmt.Errorf("more than %d modules", maxModules)
		}
		if _, twice := x.byName[name]; twice {
			return nil // the kernel holds one module of a name; depmod has put the preferred one first
		}
		x.byName[name] = int32(len(x.mods))
		x.mods = append(x.mods, record{Module{name, path}, strings.TrimSpace(deps), n})
		return nil
	})
}

// parseAlias takes "alias PATTERN MODULE" and passes over all other lines, as modprobe does.
func (x *Index) parseAlias(text string) error {
	x.aliases.grow(strings.Count(text, "\n") + 1)
	err := eachLine(text, func(line string, _ int) error {
		rest, ok := strings.CutPrefix(line, "alias ")
		i := strings.LastIndexAny(rest, " \t")
		if ok && i > 0 {
			x.aliases.add(strings.TrimSpace(rest[:i]), normalise(rest[i+1:]))
		}
		return nil
	})
	x.aliases.finish()
	return err
}

// parseSoftdep takes "softdep MODULE pre: NAME... post: NAME..."; names before the first of the two words count for
// nothing, as in libkmod. libkmod heeds only the first line of a module; here all lines of a module add up, because
// depmod writes one line for each MODULE_SOFTDEP (btrfs has four) and a soft dependency too many does no harm.
func (x *Index) parseSoftdep(text string) error {
	return eachLine(text, func(line string, _ int) error {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "softdep" {
			return nil
		}
		name := normalise(words[1])
		s := x.softdeps[name]
		var list *[]string
		for _, w := range words[2:] {
			switch {
			case w == "pre:":
				list = &s.pre
			case w == "post:":
				list = &s.post
			case list != nil:
				*list = append(*list, w)
			}
		}
		x.softdeps[name] = s
		return nil
	})
}

// parseBuiltin takes one path a line.
func (x *Index) parseBuiltin(text string) error {
	return eachLine(text, func(line string, _ int) error {
		if name := nameOf(line); name != "" {
			x.builtinPaths = append(x.builtinPaths, line)
			x.builtin[name] = true
		}
		return nil
	})
}

// parseBuiltinModinfo takes MODULE.KEY=VALUE records, each ended by a NUL, and keeps the aliases: without them a file
// system that is built in would look missing to who asks for fs-ext4.
func (x *Index) parseBuiltinModinfo(text string) error {
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
