// Package uevent receives the kernel's device events, so that waiting for a device needs neither
// polling nor udev.
package uevent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// group is the kernel's multicast group; group 2 is udev's (lib/kobject_uevent.c: uevent_net_init,
// netlink_broadcast to group 1).
const group = 1

// receiveBuffer holds the burst of a cold-plug, in bytes.
const receiveBuffer = 1 << 20

// Listener receives the kernel's events and wakes all that wait.
type Listener struct {
	file    *os.File
	receive func(buf []byte) (int, error)

	mu   sync.Mutex // guards the rest; no channel is waited for under it
	subs map[*subscriber]struct{}
	err  error // why the reader stopped
}

// subscriber is a pending Wait. lost is set while events is full, so that its reader detects it.
type subscriber struct {
	events chan Event
	lost   atomic.Bool
}

// Listen opens the socket. What happens from now on is not missed by a later Wait, because Wait
// looks before it sleeps.
func Listen() (*Listener, error) { return listen(filter()) }

// ListenISCSI is Listen for devices of iSCSI sessions alone that come, go or change: a system that
// looks at all its devices anew does not wake the caller for the others.
func ListenISCSI() (*Listener, error) { return listen(iscsiFilter()) }

// ListenPaths is ListenISCSI, and for events of paths: of the disks of iSCSI sessions and of
// device-mapper.
func ListenPaths() (*Listener, error) { return listen(pathFilter()) }

func listen(f []unix.SockFilter) (*Listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("socket uevent: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	attach(fd, f)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: group}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("bind uevent: %w", err)
	}
	file := os.NewFile(uintptr(fd), "uevent")
	receive, err := receiver(file)
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("listen uevent: %w", err)
	}
	l := &Listener{file: file, receive: receive, subs: map[*subscriber]struct{}{}}
	contain.Go(readerName, l.read, l.end) // until Close closes the socket
	return l, nil
}

// readerName is the reader's goroutine in messages.
const readerName = "the reader of uevents"

// Close stops the listener; waiters return an error that is os.ErrClosed.
func (l *Listener) Close() error { return l.file.Close() }

// Wait calls done immediately and again after each event until it returns true or fails. The first
// call's event is the zero Event, and so is one after events were lost: done must read the state
// itself, the event is only a hint. Wait returns ctx's error when ctx ends first.
func (l *Listener) Wait(ctx context.Context, done func(Event) (bool, error)) error {
	sub := &subscriber{events: make(chan Event, 64)}
	l.mu.Lock()
	err := l.err
	l.subs[sub] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.subs, sub)
		l.mu.Unlock()
	}()
	if err != nil {
		return fmt.Errorf("wait uevent: %w", err)
	}
	for ev, open := (Event{}), true; ; {
		if ok, err := done(ev); ok || err != nil {
			return err
		}
		if len(sub.events) == 0 && sub.lost.Swap(false) {
			ev = Event{}
			continue
		}
		select {
		case ev, open = <-sub.events:
			if !open {
				return fmt.Errorf("wait uevent: %w", l.ended())
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// maxPanics is how many panics in a row, with no message read between them, end the reader.
const maxPanics = 8

// read passes events on until the socket is closed or fails. A panic over one message is an event
// that was lost, no more: what waits for a device looks for itself then.
func (l *Listener) read() {
	buf := make([]byte, maxEvent)
	for panics := 0; ; {
		err := contain.Call(readerName, func() error { return l.readOne(buf) })
		var p *contain.PanicError
		switch {
		case err == nil:
			panics = 0
		case errors.As(err, &p) && panics+1 < maxPanics:
			panics++
			l.send(Event{})
		default:
			l.end(err)
			return
		}
	}
}

// readOne reads a message and passes on the event in it.
func (l *Listener) readOne(buf []byte) error {
	n, err := l.receive(buf)
	switch {
	case errors.Is(err, unix.ENOBUFS):
		l.send(Event{}) // events were lost: let all of them look
		return nil
	case err != nil:
		return err
	}
	if ev, err := Parse(buf[:n]); err == nil {
		l.send(ev)
	}
	return nil
}

// end closes the subscribers: err is what every wait returns from now on.
func (l *Listener) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	for s := range l.subs {
		close(s.events)
	}
	l.subs = map[*subscriber]struct{}{}
}

// ended is why the reader has ended.
func (l *Listener) ended() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// receiver returns a function that waits for a message of the kernel's.
func receiver(file *os.File) (func(buf []byte) (int, error), error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	return func(buf []byte) (n int, err error) {
		for {
			var from unix.Sockaddr
			rerr := raw.Read(func(fd uintptr) bool {
				n, from, err = unix.Recvfrom(int(fd), buf, 0)
				return !errors.Is(err, unix.EAGAIN)
			})
			switch {
			case rerr != nil:
				return 0, os.ErrClosed
			case err == nil && fromKernel(from), err != nil && !errors.Is(err, unix.EINTR):
				return n, err
			}
		}
	}, nil
}

// fromKernel refuses what another process sends to the group.
func fromKernel(from unix.Sockaddr) bool {
	nl, ok := from.(*unix.SockaddrNetlink)
	return ok && nl.Pid == 0
}

func (l *Listener) send(ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.subs {
		select {
		case s.events <- ev:
		default:
			s.lost.Store(true)
		}
	}
}
