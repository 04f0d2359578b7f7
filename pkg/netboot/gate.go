package netboot

import (
	"context"
	"errors"
	"io/fs"
	"sync"
)

// gate lets a signal take back an update that hangs: fsync(2) on a slow disk cannot be interrupted.
// Its operations are those of a disk until it is closed. The zero value has no disk yet.
type gate struct {
	mu     sync.Mutex // guards the rest, and is held during each operation but sync
	disk   disk       // nil: nothing to take back
	unlock func()
	closed bool
}

// open gives the gate its disk. unlock releases the lock of the directory.
func (g *gate) open(d disk, unlock func()) disk {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.disk, g.unlock = d, unlock
	return g
}

// takeBack closes the gate and removes what was prepared. Once files have begun to take their
// places it leaves them to the next run.
func (g *gate) takeBack() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.disk == nil {
		return
	}
	if text, err := g.disk.read(preparing); err == nil {
		_ = takeBackFrom(unsynced{g.disk}, preparing, parseJournal(text)) // the next run removes what is left
	}
	g.unlock()
}

// unsynced is a disk without fsync, for what need not survive a loss of power.
type unsynced struct{ disk }

func (unsynced) sync(string) error { return nil }

// do runs an operation if the gate is open.
func (g *gate) do(f func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return context.Canceled
	}
	return f()
}

func (g *gate) exists(name string) (there bool, err error) {
	err = g.do(func() error { there, err = g.disk.exists(name); return err })
	return there, err
}

func (g *gate) read(name string) (text []byte, err error) {
	err = g.do(func() error { text, err = g.disk.read(name); return err })
	return text, err
}

func (g *gate) write(name string, data []byte, a attr) error {
	return g.do(func() error { return g.disk.write(name, data, a) })
}

func (g *gate) mkdir(name string, mode fs.FileMode) error {
	return g.do(func() error { return g.disk.mkdir(name, mode) })
}

func (g *gate) set(name string, a attr) error {
	return g.do(func() error { return g.disk.set(name, a) })
}

func (g *gate) link(old, name string) error {
	return g.do(func() error { return g.disk.link(old, name) })
}

func (g *gate) rename(old, name string) error {
	return g.do(func() error { return g.disk.rename(old, name) })
}

func (g *gate) remove(name string) error {
	return g.do(func() error { return g.disk.remove(name) })
}

func (g *gate) rmdir(name string) {
	_ = g.do(func() error { g.disk.rmdir(name); return nil })
}

func (g *gate) sync(name string) error {
	return errors.Join(g.do(func() error { return nil }), g.disk.sync(name))
}
