package kmod

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/words"

	"github.com/iscsiroot/iscsiroot/pkg/regular"
)

// maxPlain bounds an uncompressed module file that has to be held in memory, in bytes.
const maxPlain = 256 << 20

// errPacked reports that a file cannot be read because Options.Unpack is not set.
var errPacked = errors.New("compressed")

// addFiles adds module files to the index by their .modinfo. If all that name a release were built
// for another one, nothing is added and the error is a *ReleaseError.
func (x *Index) addFiles(fsys fs.FS, paths []string, o Options) error {
	infos, errs := readInfos(fsys, paths, o.Unpack)
	first := len(x.mods)
	others := map[string]int{} // release -> files
	unread := 0
	for i, path := range paths {
		switch {
		case errs[i] != nil:
			if unread++; unread <= maxDamage {
				o.Note(fmt.Errorf("%s is left out: %w", path, causeOf(errs[i])))
			}
		case !o.fits(path, infos[i]):
			others[infos[i].Release()]++
		default:
			x.addInfo(path, infos[i])
		}
	}
	x.aliases.finish()
	x.resolveDepends(first)
	held := slices.Sorted(maps.Keys(others))
	if len(x.mods) == 0 && len(held) > 0 {
		return &ReleaseError{Running: o.Release, Held: held}
	}
	for _, release := range held {
		o.Note(fmt.Errorf("%d files are left out: they were built for kernel %s", others[release], release))
	}
	return nil
}

// addInfo adds one module. Its dependencies stay names until resolveDepends has all paths.
func (x *Index) addInfo(path string, info Info) {
	fileName := nameOf(path)
	m := Module{Name: info.Name, Path: path}
	if m.Name == "" {
		m.Name = fileName
	}
	if _, twice := x.byName[m.Name]; twice || m.Name == "" || strings.ContainsFunc(path+m.Name, words.IsBlankOrControl) {
		return
	}
	if info.Ethernet {
		m.kind = KindEthernet
	}
	i := int32(len(x.mods))
	x.mods = append(x.mods, record{Module: m, deps: strings.Join(info.Depends, " ")})
	x.byName[m.Name] = i
	if _, taken := x.byName[fileName]; !taken && fileName != "" {
		x.byName[fileName] = i // a renamed file is found by both names
	}
	x.addAliases(m.Name, info.Aliases)
	for _, text := range info.Softdeps {
		x.addSoftdep(m.Name, strings.Fields(text))
	}
}

// addAliases adds the aliases of a file.
func (x *Index) addAliases(name string, patterns []string) {
	for _, pattern := range patterns {
		if pattern = strings.TrimSpace(pattern); pattern != "" && !strings.Contains(pattern, "\n") {
			x.aliases.add(pattern, name)
		}
	}
}

// resolveDepends turns the names of dependencies into paths, from a module on.
func (x *Index) resolveDepends(first int) {
	for i := first; i < len(x.mods); i++ {
		names := strings.Fields(x.mods[i].deps)
		for k, name := range names {
			if j, ok := x.byName[name]; ok {
				names[k] = x.mods[j].Path
			}
		}
		x.mods[i].deps = strings.Join(names, " ")
	}
}

// readInfos reads the .modinfo of all files, in one goroutine for each processor: to unpack an .xz
// takes a second for 10 MB.
func readInfos(fsys fs.FS, paths []string, unpack func(fs.File, string) ([]byte, error)) ([]Info, []error) {
	infos, errs := make([]Info, len(paths)), make([]error, len(paths))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(paths)) {
		wg.Go(contain.Func("reading modules", func() {
			for i := int(next.Add(1)) - 1; i < len(paths); i = int(next.Add(1)) - 1 {
				errs[i] = contain.Call("", func() (err error) { // a module's error, and the next one is read
					infos[i], err = fileInfo(fsys, paths[i], unpack)
					return err
				})
			}
		}, nil))
	}
	wg.Wait()
	return infos, errs
}

// fileInfo reads the .modinfo of one file.
func fileInfo(fsys fs.FS, path string, unpack func(fs.File, string) ([]byte, error)) (Info, error) {
	f, _, err := regular.Open(fsys, path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	r, plain := f.(io.ReaderAt)
	switch packed, _ := isModule(path); {
	case packed && unpack == nil:
		return Info{}, errPacked
	case packed:
		data, err := unpack(f, path)
		if err != nil {
			return Info{}, err
		}
		r = bytes.NewReader(data)
	case !plain:
		data, err := io.ReadAll(io.LimitReader(f, maxPlain))
		if err != nil {
			return Info{}, err
		}
		r = bytes.NewReader(data)
	}
	return ReadInfo(r)
}
