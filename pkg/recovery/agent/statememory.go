package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// stateMemory is the file in memory that outlives a worker. It holds two places for a state and, in
// its first byte, which one counts: a worker that is killed while it writes leaves the other one
// whole. Behind them is the page.
type stateMemory struct{ *os.File }

// slots is the number of places, each of maxState bytes and a length.
const slots = 2

// errEmpty says that no state was handed over yet.
var errEmpty = errors.New("no state")

// newStateMemory makes the file.
func newStateMemory() (stateMemory, error) {
	fd, err := unix.MemfdCreate("iscsiroot-state", unix.MFD_CLOEXEC)
	if err != nil {
		return stateMemory{}, os.NewSyscallError("memfd_create", err)
	}
	m := stateMemory{os.NewFile(uintptr(fd), "state")}
	if err := unix.Ftruncate(fd, pageAt+int64(os.Getpagesize())); err != nil {
		return stateMemory{}, errors.Join(os.NewSyscallError("ftruncate", err), m.Close())
	}
	return m, nil
}

// receive waits for PID 1 to send a state, and keeps it.
func (m stateMemory) receive(sock int) error {
	buf := make([]byte, maxState)
	n, err := unix.Read(sock, buf)
	if err == nil && n <= 0 {
		err = io.EOF
	}
	if err != nil {
		return fmt.Errorf("wait for the sessions: %w", err)
	}
	defer clear(buf)
	return m.keep(buf[:n])
}

// load returns the state that counts.
func (m stateMemory) load() ([]byte, error) {
	slot, err := m.slot()
	if err != nil {
		return nil, err
	}
	head := make([]byte, 4)
	if _, err := m.ReadAt(head, offset(slot)); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	n := int(head[0])<<24 | int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	if n > maxState {
		return nil, fmt.Errorf("read state: %d bytes: limit %d", n, maxState)
	}
	state := make([]byte, n)
	if _, err := m.ReadAt(state, offset(slot)+4); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	return state, nil
}

// slot returns which place counts.
func (m stateMemory) slot() (int, error) {
	var b [1]byte
	if _, err := m.ReadAt(b[:], 0); errors.Is(err, io.EOF) {
		return 0, errEmpty
	} else if err != nil {
		return 0, fmt.Errorf("read state: %w", err)
	}
	if b[0] == 0 {
		return 0, errEmpty
	}
	return int(b[0]-1) % slots, nil
}

// offset is where a place begins.
func offset(slot int) int64 { return 1 + int64(slot)*(4+maxState) }

// keep writes a state to the place that does not count, and makes it count.
func (m stateMemory) keep(state []byte) error {
	now, err := m.load()
	if err == nil && bytes.Equal(now, state) {
		return nil
	}
	next := 0
	if slot, err := m.slot(); err == nil {
		next = (slot + 1) % slots
	}
	n := len(state)
	whole := append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, state...)
	if _, err := m.WriteAt(whole, offset(next)); err != nil {
		return fmt.Errorf("keep state: %w", err)
	}
	if _, err := m.WriteAt([]byte{byte(next + 1)}, 0); err != nil {
		return fmt.Errorf("keep state: %w", err)
	}
	return nil
}
