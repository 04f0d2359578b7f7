package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// handlePath contains the number that names the TCP transport in requests; it exists when iscsi_tcp
// is loaded.
const handlePath = "/sys/class/iscsi_transport/tcp/handle"

// Transport is an open socket to the kernel's software iSCSI (iscsi_tcp). It is safe for concurrent
// use.
type Transport struct {
	sock   Socket
	handle uint64
	sysfs  Sysfs

	requestMu sync.Mutex // one request and its answer at a time
	replies   chan reply

	mu    sync.Mutex // guards pipes, watch, stops and ends
	pipes map[connID]*Pipe
	ends  map[uint32]chan error // by session, see awaitEnd
	watch chan Event            // nil: there is no watcher
	stops map[connID]uint32     // see Event.Stops

	done    chan struct{} // closed when the reader stops
	readErr error         // why; valid after done
}

// reply is an answer of the kernel, or the error because of which it may be missing.
type reply struct {
	nlType uint16
	ev     *uevent
	err    error
}

// connID names a connection in the kernel.
type connID struct{ sid, cid uint32 }

// Open opens the socket. Its error names the module to load if one is missing.
func Open() (*Transport, error) {
	b, err := os.ReadFile(handlePath)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open iscsi transport tcp: iscsi_tcp is not loaded: %w", err)
	} else if err != nil {
		return nil, fmt.Errorf("open iscsi transport tcp: %w", err)
	}
	handle, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", handlePath, err)
	}
	sock, err := openSocket()
	if err != nil {
		return nil, err
	}
	return New(sock, handle, "/sys"), nil
}

// New returns a transport over a socket that is open already; handle is the number that names the
// TCP transport in requests, and sysfs is where the kernel's attributes are.
func New(sock Socket, handle uint64, sysfs Sysfs) *Transport {
	t := &Transport{
		sock:    sock,
		handle:  handle,
		sysfs:   sysfs,
		replies: make(chan reply, 16),
		pipes:   map[connID]*Pipe{},
		stops:   map[connID]uint32{},
		ends:    map[uint32]chan error{},
		done:    make(chan struct{}),
	}
	contain.Go(readerName, t.read, t.stop)
	return t
}

// Close closes the socket. Sessions that were started stay in the kernel.
func (t *Transport) Close() error {
	err := t.sock.Close()
	<-t.done
	return err
}

// Done is closed when the transport cannot be used any more, after Close or because its reader has
// ended by itself. Then it must be closed and opened anew, and its sessions adopted by the new one.
func (t *Transport) Done() <-chan struct{} { return t.done }

// Err is why the reader has ended, and nil before Done. Every request and every pipe returns it
// too.
func (t *Transport) Err() error {
	select {
	case <-t.done:
		return t.readErr
	default:
		return nil
	}
}

// readerName is the name of the reader's goroutine in messages.
const readerName = "the reader of iscsi events"

// maxPanics is how many panics in a row, with no datagram read between them, end the reader: the
// socket itself fails then.
const maxPanics = 8

// read passes on what the kernel sends until the socket is closed or fails. After a panic only the
// datagram is lost: the bug may need one target's answer, and the other sessions need the reader.
func (t *Transport) read() {
	for panics := 0; ; {
		err := contain.Call(readerName, t.readOne)
		var p *contain.PanicError
		switch {
		case err == nil:
			panics = 0
		case errors.Is(err, unix.ENOBUFS):
			t.lost(ErrEventsLost)
		case !errors.As(err, &p) || panics+1 == maxPanics:
			t.stop(err)
			return
		default:
			panics++
			t.reply(reply{err: eventsLost(err)}) // to the request in progress: the next one ignores it
			t.lost(eventsLost(err))
		}
	}
}

// readOne reads a datagram and passes on what is in it.
func (t *Transport) readOne() error {
	b, err := t.sock.Receive()
	if err != nil {
		return err
	}
	t.dispatch(b)
	return nil
}

// dispatch passes on a datagram: answers have the type of their request as netlink type, events
// have 0 there.
func (t *Transport) dispatch(b []byte) {
	for len(b) > 0 {
		ev := &uevent{}
		nlType, rest, err := ev.unmarshal(b)
		if err != nil {
			return
		}
		b = rest
		if nlType == 0 {
			t.event(ev)
			continue
		}
		t.reply(reply{nlType: nlType, ev: ev})
	}
}

// stop is called at the end of the reader. All pending and later calls fail with why; an end that
// is not by Close is retryable like lost events: by another login.
func (t *Transport) stop(err error) {
	if closed := errors.Is(err, os.ErrClosed); !closed {
		err = eventsLost(err)
		defer t.publish(Event{Err: err})
	}
	t.readErr = err
	close(t.done)
}

// eventsLost returns ErrEventsLost with a cause other than a full buffer.
func eventsLost(err error) error { return fmt.Errorf("%w: %w", ErrEventsLost, err) }

// reply passes an answer on. If there is no room, the oldest is dropped: no request waits for it
// any more.
func (t *Transport) reply(r reply) {
	for {
		select {
		case t.replies <- r:
			return
		default:
		}
		select {
		case <-t.replies:
		default:
		}
	}
}

// event passes a PDU or an error to its connection's pipe, or, if there is none, to the watcher.
// The kernel also sends events of other programs' sessions.
func (t *Transport) event(ev *uevent) {
	id := connID{sid: native.Uint32(ev.r[0:]), cid: native.Uint32(ev.r[4:])}
	t.mu.Lock()
	defer t.mu.Unlock() // a pipe that closes meanwhile must receive it
	if ev.typ == sessionDestroyed {
		t.ended(native.Uint32(ev.r[4:]), nil) // behind the host's number
		return
	}
	p := t.pipes[id]
	if p == nil {
		if e, ok := toEvent(ev, id); ok {
			e.Stops = t.stops[id]
			t.publishLocked(e)
		}
		return
	}
	switch ev.typ {
	case recvPDU:
		p.deliver(received{pdu: ev.payload})
	case connError:
		p.deliver(received{err: ConnError(native.Uint32(ev.r[8:])), stops: t.stops[id]})
	}
}

// ErrEventsLost reports that a PDU may be missing: the socket's buffer overflowed, or the reader
// failed on a message.
var ErrEventsLost error = &lostError{"events of the kernel were lost"}

type lostError struct{ text string }

// Error implements error.
func (e *lostError) Error() string { return e.text }

// Retryable returns true: another login can succeed, by another transport if this one has ended.
func (e *lostError) Retryable() bool { return true }

// lost fails every pipe: the PDU it waits for may be among what was lost.
func (t *Transport) lost(err error) {
	t.publish(Event{Err: err})
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.pipes {
		p.deliver(received{err: err})
	}
	for sid := range t.ends {
		t.ended(sid, err)
	}
}

// Limits are the sizes a session is created with.
type Limits struct {
	Commands   uint16 // commands in flight, a power of two; 0: the kernel's 128
	QueueDepth uint16 // per LUN; 0: the kernel's 32
}

// CreateSession makes a session and its one connection, number 0. No TCP connection exists yet.
// cmdSN is the first command's number.
func (t *Transport) CreateSession(ctx context.Context, l Limits, cmdSN uint32) (*Session, error) {
	// struct msg_create_session { uint32_t initial_cmdsn; uint16_t cmds_max; uint16_t
	// queue_depth; } c_session;
	ev := &uevent{typ: createSession}
	native.PutUint32(ev.u[0:], cmdSN)
	native.PutUint16(ev.u[4:], l.Commands)
	native.PutUint16(ev.u[6:], l.QueueDepth)
	r, err := t.request(ctx, ev, "of tcp")
	if err != nil {
		return nil, err
	}
	// struct msg_create_session_ret { uint32_t sid; uint32_t host_no; };
	s := &Session{t: t, SID: native.Uint32(r.r[0:]), HostNo: native.Uint32(r.r[4:])}
	// struct msg_create_conn { uint32_t sid; uint32_t cid; } c_conn;
	ev = &uevent{typ: createConn}
	ev.putU(s.SID, s.CID)
	if _, err := t.request(ctx, ev, s.String()); err != nil {
		return nil, errors.Join(err, s.destroySession(context.WithoutCancel(ctx)))
	}
	return s, nil
}
