// Package uevent listens to the kernel's device events, so that waiting for a
// device needs neither polling nor udev.
package uevent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// group is the kernel's multicast group; group 2 is udev's
// (lib/kobject_uevent.c: uevent_net_init, netlink_broadcast to group 1).
const group = 1

// receiveBuffer holds the burst of a cold-plug, in bytes.
const receiveBuffer = 1 << 20

// Listener receives the kernel's events and wakes whoever waits.
type Listener struct {
	file *os.File

	mu   sync.Mutex
	subs map[*subscriber]struct{}
	err  error // why the reader stopped
}

// subscriber is somebody who waits. lost is set while events is full, so
// whoever empties it sees that.
type subscriber struct {
	events chan Event
	lost   atomic.Bool
}

// Listen opens the socket. What happens from now on is not missed by a later
// Wait, because Wait looks before it sleeps.
func Listen() (*Listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("socket uevent: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	attach(fd)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: group}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("bind uevent: %w", err)
	}
	l := &Listener{file: os.NewFile(uintptr(fd), "uevent"), subs: map[*subscriber]struct{}{}}
	go l.read()
	return l, nil
}

// Close stops the listener; waiters return an error.
func (l *Listener) Close() error { return l.file.Close() }

// Wait calls done at once and again after each event until it says true or
// fails. The first call's event is the zero Event, and so is one after events
// were lost: done must look at the state itself, the event is only a hint.
// Wait returns ctx's error when ctx ends first.
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
				return fmt.Errorf("wait uevent: %w", os.ErrClosed)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// read passes events on until the socket is closed.
func (l *Listener) read() {
	raw, err := l.file.SyscallConn()
	buf := make([]byte, maxEvent)
	for err == nil {
		var n int
		var from unix.Sockaddr
		var rerr error
		err = raw.Read(func(fd uintptr) bool {
			n, from, rerr = unix.Recvfrom(int(fd), buf, 0)
			return !errors.Is(rerr, unix.EAGAIN)
		})
		switch {
		case err != nil:
		case errors.Is(rerr, unix.ENOBUFS):
			l.send(Event{}) // events were lost: let everybody look
		case rerr != nil && !errors.Is(rerr, unix.EINTR):
			err = rerr
		case rerr == nil && fromKernel(from):
			if ev, perr := Parse(buf[:n]); perr == nil {
				l.send(ev)
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	for s := range l.subs {
		close(s.events)
	}
	l.subs = map[*subscriber]struct{}{}
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
