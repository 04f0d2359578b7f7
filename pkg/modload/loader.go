//go:build linux

package modload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// Options adjust a Loader. The zero value is usable.
type Options struct {
	// Params are the parameters of modules by normalised name, in the form that finit_module(2)
	// takes: "a=1 b=2".
	Params map[string]string
	// Never holds the normalised names of modules that are skipped, as the kernel would refuse
	// them.
	Never []string
	// Release is the kernel's, for messages.
	Release string
	// Debugf, if set, gets a line for each module that was loaded and each failure that does
	// not matter. It is called by every goroutine that loads.
	Debugf func(format string, args ...any)
}

// Loader loads the modules of one tree. It is safe for concurrent use: each file is loaded once,
// another load of it waits meanwhile, and what failed can be retried.
type Loader struct {
	idx    *kmod.Index
	dir    string
	opts   Options
	kernel kernel
	took   func(time.Duration) // may be nil

	mu       sync.Mutex          // guards attempts; no module is loaded under it
	attempts map[string]*attempt // by module
}

// attempt is the loading of one file. err is set before done is closed.
type attempt struct {
	done chan struct{}
	err  error
}

// New returns a loader for the tree at dir, such as /lib/modules/6.1.0-9-amd64, whose index is idx.
func New(idx *kmod.Index, dir string, opts Options) *Loader {
	if opts.Debugf == nil {
		opts.Debugf = func(string, ...any) {}
	}
	return &Loader{idx: idx, dir: dir, opts: opts, kernel: running(), attempts: map[string]*attempt{}}
}

// Load loads what a name or an alias stands for, with all dependencies. A name that neither the
// tree nor the kernel has is a *MissingError, and so is one whose file is missing; a module that
// the kernel refuses is a *LoadError. Of several modules with the same alias one must load, or be
// built in; soft dependencies need not. What Options.Never forbids is passed over. Between two
// modules it heeds ctx, and while another goroutine loads the same one.
func (l *Loader) Load(ctx context.Context, name string) error {
	if l.took != nil {
		defer measure(l.took)()
	}
	mods, ok := l.idx.Resolve(name)
	if !ok && !l.kernel.has(normalise(name)) {
		return l.missing(name)
	}
	if len(mods) == 0 {
		l.opts.Debugf("%s: nothing to load: it is built in, or on a blacklist", name)
		return nil
	}
	var errs []error
	for _, m := range mods {
		if err := l.loadOne(ctx, m); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == len(mods) && !l.idx.BuiltinOrBlacklisted(name) {
		return errors.Join(errs...)
	}
	for _, err := range errs {
		l.opts.Debugf("%s: %v", name, err)
	}
	return nil
}

// Has reports whether the tree or the kernel has what a name or an alias stands for.
func (l *Loader) Has(name string) bool {
	_, ok := l.idx.Resolve(name)
	return ok || l.kernel.has(normalise(name))
}

// missing returns the error for a name that neither the tree nor the kernel has.
func (l *Loader) missing(name string) error {
	e := &MissingError{Name: name, Release: l.opts.Release, Dir: l.dir}
	for _, m := range l.idx.Modules() {
		e.Held = append(e.Held, m.Name)
	}
	return e
}

// loadOne loads a module with all it needs. If the index is wrong about the order, the plan is
// repeated as long as that loads another module.
func (l *Loader) loadOne(ctx context.Context, m kmod.Module) error {
	steps, err := l.idx.Steps(m.Name)
	if err != nil {
		return err
	}
	for before := len(steps) + 1; ; {
		without, err := l.loadSteps(ctx, m.Name, steps)
		var refused *LoadError
		var forbidden *ForbiddenError
		switch {
		case errors.As(err, &forbidden):
			l.opts.Debugf("%v", err)
			return nil
		case err == nil || len(without) == 0:
			return err
		case len(without) >= before:
			if errors.As(err, &refused) {
				refused.Without = without
			}
			return err
		}
		before = len(without)
	}
}

// loadSteps goes through a plan once. It returns the error that ends it, and before that those that
// may not matter to the module that the plan is for.
func (l *Loader) loadSteps(ctx context.Context, name string, steps []kmod.Step) (without []error, err error) {
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("load module %s: %w", name, err)
		}
		if s.Soft && l.idx.Blacklisted(s.Name) {
			l.opts.Debugf("soft dependency of %s: %s is on a blacklist", name, s.Name)
			continue
		}
		if s.Soft && !slices.Contains(l.opts.Never, s.Name) && !l.suits(s.Name) {
			l.opts.Debugf("soft dependency of %s: %s is for another processor", name, s.Name)
			continue
		}
		err := l.loadFile(ctx, s.Module)
		var forbidden *ForbiddenError
		switch {
		case err == nil:
		case s.Soft:
			l.opts.Debugf("soft dependency of %s: %v", name, err)
		case s.Name != name && (s.Doubtful || errors.As(err, &forbidden)):
			l.opts.Debugf("dependency of %s: %v", name, err)
			without = append(without, err)
		default:
			return without, err
		}
	}
	return without, nil
}

// loadFile loads one file, or waits for the goroutine that is loading it.
func (l *Loader) loadFile(ctx context.Context, m kmod.Module) error {
	l.mu.Lock()
	if a, ok := l.attempts[m.Name]; ok {
		l.mu.Unlock()
		select {
		case <-a.done:
			return a.err
		case <-ctx.Done():
			return fmt.Errorf("load module %s: %w", m.Name, ctx.Err())
		}
	}
	a := &attempt{done: make(chan struct{})}
	l.attempts[m.Name] = a
	l.mu.Unlock()

	a.err = l.insert(m)
	if a.err != nil {
		l.mu.Lock()
		delete(l.attempts, m.Name)
		l.mu.Unlock()
	}
	close(a.done)
	return a.err
}

// suits reports whether a module is for this machine's processors. Without this check the module
// itself would detect that, after all the work of loading it (arch/x86/crypto/crc32c-intel_glue.c,
// crc32c_intel_mod_init).
func (l *Loader) suits(name string) bool {
	modalias := readAttr(filepath.Join(l.kernel.sys, "devices/system/cpu/modalias"))
	return modalias == "" || l.idx.MatchesCPU(name, modalias)
}

// insert passes one file to the kernel, unless the module is loaded already.
func (l *Loader) insert(m kmod.Module) error {
	switch {
	case slices.Contains(l.opts.Never, m.Name):
		return &ForbiddenError{Module: m.Name}
	case l.kernel.live(m.Name):
		return nil
	case m.Path == "":
		return l.missing(m.Name)
	}
	path := filepath.Join(l.dir, m.Path)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &MissingError{Name: m.Name, Release: l.opts.Release, Dir: l.dir, File: path}
	} else if err != nil {
		return &LoadError{Module: m.Name, Path: path, Err: causeOf(err)}
	}
	defer f.Close()
	err = l.kernel.load(f, l.opts.Params[m.Name])
	if errors.Is(err, unix.EBUSY) {
		// Another process was loading it and has failed (kernel/module/main.c,
		// add_unformed_module).
		err = l.kernel.load(f, l.opts.Params[m.Name])
	}
	if err != nil {
		return &LoadError{Module: m.Name, Path: path, Err: err, refused: true}
	}
	l.opts.Debugf("loaded %s", m.Name)
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
