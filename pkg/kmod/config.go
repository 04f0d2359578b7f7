package kmod

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// Config is the administrator's configuration of modules, from modprobe.d(5) or elsewhere. Module
// names are normalised.
type Config struct {
	// Params are the parameters of modules, "a=1 b=2".
	Params map[string]string
	// Blacklist holds modules that no alias loads; by name, and as what another module needs,
	// they are loaded.
	Blacklist map[string]bool
	// Aliases come before those of the tree: what one of them names is all that its pattern
	// stands for.
	Aliases []Alias
	// Softdeps are added to those of the tree.
	Softdeps []Softdep
}

// Alias is one pattern and the module that it stands for.
type Alias struct{ Pattern, Module string }

// Softdep holds the soft dependencies of a module: names or aliases, loaded before and after it, if
// they exist.
type Softdep struct {
	Module    string
	Pre, Post []string
}

// configDirs are where modprobe looks for *.conf: of files with the same name only the first is
// read (modprobe.d(5)).
var configDirs = []string{
	"etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d",
}

// maxConfigFiles bounds the files of modprobe.d that are read.
const maxConfigFiles = 1024

// ReadConfig reads the modprobe.d files of a system, whose root is fsys, in the order of their
// names. Lines that are not understood, and the lines "install" and "remove", whose shell commands
// are not run, are passed to note, each kind once per file; note may be nil.
func ReadConfig(fsys fs.FS, note func(error)) Config {
	if note == nil {
		note = func(error) {}
	}
	c := Config{Params: map[string]string{}, Blacklist: map[string]bool{}}
	files := configFiles(fsys)
	for _, base := range slices.Sorted(maps.Keys(files)) {
		text, err := readText(fsys, files[base])
		if err != nil {
			note(fmt.Errorf("read %s: %w", files[base], causeOf(err)))
			continue
		}
		c.parse(files[base], text, note)
	}
	return c
}

// configFiles returns the paths of the files to read, by their base name.
func configFiles(fsys fs.FS) map[string]string {
	files := map[string]string{}
	for _, dir := range configDirs {
		entries, err := fs.ReadDir(fsys, dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if _, hidden := files[e.Name()]; !hidden && strings.HasSuffix(e.Name(), ".conf") && len(files) < maxConfigFiles {
				files[e.Name()] = path.Join(dir, e.Name())
			}
		}
	}
	return files
}

// parse parses one file.
func (c *Config) parse(name, text string, note func(error)) {
	noted := map[string]bool{}
	once := func(word string, n int, what string) {
		if !noted[word] {
			noted[word] = true
			note(fmt.Errorf("%s: line %d: %s %s", name, n, word, what))
		}
	}
	damage := eachLine(strings.ReplaceAll(text, "\\\n", " "), func(line string, n int) error {
		words := strings.Fields(line)
		switch {
		case words[0] == "install" || words[0] == "remove":
			once(words[0], n, "is not supported: its command is not run")
		case len(words) < 2 || !c.parseLine(words):
			once(words[0], n, "is not understood")
		}
		return nil
	})
	for _, err := range damage {
		note(fmt.Errorf("read %s: %w", name, err))
	}
}

// parseLine adds a line of two words or more; false if its keyword is unknown.
func (c *Config) parseLine(words []string) bool {
	module := normalise(words[1])
	switch words[0] {
	case "alias":
		if len(words) < 3 {
			return false
		}
		c.Aliases = append(c.Aliases, Alias{words[1], normalise(words[2])})
	case "blacklist":
		c.Blacklist[module] = true
	case "options":
		c.Params[module] = strings.TrimSpace(c.Params[module] + " " + strings.Join(words[2:], " "))
	case "softdep":
		pre, post := parseSoftdepWords(words[2:])
		c.Softdeps = append(c.Softdeps, Softdep{module, pre, post})
	case "weakdep": // a hint for initramfs builders only
	default:
		return false
	}
	return true
}

// Blacklisted reports whether Config's blacklist names a module.
func (x *Index) Blacklisted(name string) bool { return x.blacklist[normalise(name)] }

// WithConfig returns the index with a configuration applied; Params are for the loader. x itself
// does not change.
func (x *Index) WithConfig(c Config) *Index {
	out := *x
	out.blacklist = c.Blacklist
	out.configAliases = aliasTable{}
	for _, a := range c.Aliases {
		out.configAliases.add(a.Pattern, a.Module)
	}
	out.configAliases.finish()
	out.softdeps = maps.Clone(x.softdeps)
	for _, s := range c.Softdeps {
		if out.softdeps == nil {
			out.softdeps = map[string]softdep{}
		}
		all := out.softdeps[s.Module]
		all.pre = slices.Concat(all.pre, s.Pre)
		all.post = slices.Concat(all.post, s.Post)
		out.softdeps[s.Module] = all
	}
	return &out
}
