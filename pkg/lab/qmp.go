package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// Event is an event of QMP.
type Event struct {
	// Name is "RESET", "SHUTDOWN", "STOP" and the like.
	Name string
	// Reason is "guest-reset", "guest-shutdown", "guest-panic", "host-qmp-quit" and the like;
	// empty for other events.
	Reason string
	// Status is how far a MIGRATION is: "active", "completed", "failed" and the like; empty for
	// other events.
	Status string
	// Guest is set if the guest caused it.
	Guest bool
}

// qmp is a client of QEMU's machine protocol: one command at a time, events at any time.
type qmp struct {
	conn io.ReadWriteCloser
	turn chan struct{} // holds one token: the right to send a command
	back chan qmpMessage
	done chan struct{} // closed when QEMU's end is closed

	mu      sync.Mutex // guards the rest
	events  []Event
	seen    map[string]int // by name: how many events WaitEvent gave out
	changed chan struct{}
	err     error
}

func newQMP(conn io.ReadWriteCloser) *qmp {
	q := &qmp{
		conn: conn, turn: make(chan struct{}, 1), back: make(chan qmpMessage, 1), done: make(chan struct{}),
		seen: map[string]int{}, changed: make(chan struct{}),
	}
	q.turn <- struct{}{}
	go q.read() // until conn is closed, by either end
	return q
}

// hello ends the negotiation that QEMU begins with.
func (q *qmp) hello(ctx context.Context) error {
	select {
	case m := <-q.back:
		if m.Greeting == nil {
			return fmt.Errorf("qmp: %w", errQMPKind)
		}
	case <-q.done:
		return q.closed()
	case <-ctx.Done():
		return fmt.Errorf("qmp: wait for the greeting: %w", ctx.Err())
	}
	_, err := q.execute(ctx, "qmp_capabilities", nil)
	return err
}

func (q *qmp) read() {
	scanner := bufio.NewScanner(q.conn)
	scanner.Buffer(nil, qmpLineLimit)
	var err error
	for err == nil && scanner.Scan() {
		var m qmpMessage
		if m, err = decodeQMP(scanner.Bytes()); err == nil {
			q.take(m)
		}
	}
	if err == nil {
		err = scanner.Err()
	}
	if err == nil {
		err = io.EOF
	}
	q.mu.Lock()
	q.err = err
	q.mu.Unlock()
	close(q.done)
	_ = q.conn.Close()
}

func (q *qmp) take(m qmpMessage) {
	if m.Event == "" {
		select {
		case q.back <- m:
		default: // no command is pending
		}
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events = append(q.events, Event{Name: m.Event, Reason: m.Data.Reason, Status: m.Data.Status, Guest: m.Data.Guest})
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *qmp) closed() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return fmt.Errorf("qmp: %w", q.err)
}

// execute sends one command and returns QEMU's answer to it. A command whose context ends spoils
// the order of answers, so the connection ends with it.
func (q *qmp) execute(ctx context.Context, command string, args any) (json.RawMessage, error) {
	line, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
	}{command, args})
	if err != nil {
		return nil, fmt.Errorf("qmp %s: %w", command, err)
	}
	select {
	case <-q.turn:
	case <-q.done:
		return nil, q.closed()
	case <-ctx.Done():
		return nil, fmt.Errorf("qmp %s: %w", command, ctx.Err())
	}
	defer func() { q.turn <- struct{}{} }()
	if _, err := q.conn.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("qmp %s: %w", command, err)
	}
	m, err := q.answer(ctx)
	if err == nil && m.Error != nil {
		err = m.Error
	}
	if err != nil {
		return nil, fmt.Errorf("qmp %s: %w", command, err)
	}
	return m.Return, nil
}

func (q *qmp) answer(ctx context.Context) (qmpMessage, error) {
	select {
	case m := <-q.back:
		return m, nil
	case <-ctx.Done():
		_ = q.conn.Close()
		return qmpMessage{}, ctx.Err()
	case <-q.done:
	}
	select {
	case m := <-q.back: // QEMU answers "quit" and exits
		return m, nil
	default:
		return qmpMessage{}, q.closed()
	}
}

// next waits for the next event of that name that no earlier call has returned.
func (q *qmp) next(ctx context.Context, name string) (Event, error) {
	for {
		q.mu.Lock()
		skip := q.seen[name]
		for _, e := range q.events {
			if e.Name != name {
				continue
			}
			if skip == 0 {
				q.seen[name]++
				q.mu.Unlock()
				return e, nil
			}
			skip--
		}
		changed := q.changed
		q.mu.Unlock()
		select {
		case <-changed:
		case <-q.done:
			return Event{}, fmt.Errorf("wait for event %s: %w", name, q.closed())
		case <-ctx.Done():
			return Event{}, fmt.Errorf("wait for event %s: %w", name, ctx.Err())
		}
	}
}

// last is the newest event of that name.
func (q *qmp) last(name string) (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := len(q.events) - 1; i >= 0; i-- {
		if q.events[i].Name == name {
			return q.events[i], true
		}
	}
	return Event{}, false
}

func (q *qmp) all() []Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]Event(nil), q.events...)
}
