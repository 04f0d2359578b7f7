//go:build linux

package modload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// Options adjust a Loader. The zero value is usable.
type Options struct {
	// Params are the parameters of modules by normalised name, in the form that finit_module(2) takes: "a=1 b=2".
	Params map[string]string
	// Debugf, if set, gets a line for each module that was loaded and each failure that does not matter. It is called
	// by every goroutine that loads.
	Debugf func(format string, args ...any)
}

// Loader loads the modules of one tree. It is safe for concurrent use: each file is loaded once, whoever else asks for
// it meanwhile waits, and what failed can be tried again.
type Loader struct {
	idx    *kmod.Index
	dir    string
	opts   Options
	kernel kernel

	mu       sync.Mutex
	attempts map[string]*attempt // by path
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

// LoadError says which module the kernel did not take. errors.Is finds the errno.
type LoadError struct {
	Module string // normalised name
	Path   string // of the file
	Err    error
}

// Error names the module, its file and the cause, and what is behind the errno that is seen most often.
func (e *LoadError) Error() string {
	msg := fmt.Sprintf("load module %s: %s: %v", e.Module, e.Path, e.Err)
	if errors.Is(e.Err, unix.ENOEXEC) {
		msg += " (the module was built for another kernel release than the running one)"
	}
	return msg
}

// Unwrap returns the cause.
func (e *LoadError) Unwrap() error { return e.Err }

// Load loads what a name or an alias stands for, with all dependencies. A name that the tree lacks is a
// *kmod.NotFoundError, a module that the kernel refuses a *LoadError. Of several modules with the same alias one must
// load; soft dependencies need not. Between two modules it heeds ctx, and while another goroutine loads the same one.
func (l *Loader) Load(ctx context.Context, name string) error {
	mods, ok := l.idx.Resolve(name)
	if !ok {
		return &kmod.NotFoundError{Name: name}
	}
	var errs []error
	for _, m := range mods {
		if err := l.loadOne(ctx, m); err != nil {
			l.opts.Debugf("%s: %v", name, err)
			errs = append(errs, err)
		}
	}
	if len(errs) < len(mods) {
		return nil
	}
	return errors.Join(errs...)
}

// loadOne loads a module with all it needs.
func (l *Loader) loadOne(ctx context.Context, m kmod.Module) error {
	steps, err := l.idx.Steps(m.Name)
	if err != nil {
		return fmt.Errorf("load module %s: %w", m.Name, err)
	}
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("load module %s: %w", m.Name, err)
		}
		err := l.loadFile(ctx, s.Module)
		if err != nil && !s.Soft {
			return err
		}
		if err != nil {
			l.opts.Debugf("soft dependency of %s: %v", m.Name, err)
		}
	}
	return nil
}

// loadFile loads one file, or waits for the goroutine that is at it.
func (l *Loader) loadFile(ctx context.Context, m kmod.Module) error {
	l.mu.Lock()
	if a, ok := l.attempts[m.Path]; ok {
		l.mu.Unlock()
		select {
		case <-a.done:
			return a.err
		case <-ctx.Done():
			return &LoadError{m.Name, filepath.Join(l.dir, m.Path), ctx.Err()}
		}
	}
	a := &attempt{done: make(chan struct{})}
	l.attempts[m.Path] = a
	l.mu.Unlock()

	a.err = l.insert(m)
	if a.err != nil {
		l.mu.Lock()
		delete(l.attempts, m.Path)
		l.mu.Unlock()
	}
	close(a.done)
	return a.err
}

// insert hands one file to the kernel, unless it has the module already.
func (l *Loader) insert(m kmod.Module) error {
	if l.kernel.live(m.Name) {
		return nil
	}
	path := filepath.Join(l.dir, m.Path)
	f, err := os.Open(path)
	if err != nil {
		return &LoadError{m.Name, path, causeOf(err)}
	}
	defer f.Close()
	if err := l.kernel.load(f, l.opts.Params[m.Name]); err != nil {
		return &LoadError{m.Name, path, err}
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
