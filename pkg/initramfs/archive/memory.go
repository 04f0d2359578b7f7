package archive

import "sync"

// Memory counts the bytes that several readers hold at the same time, against one limit. Its
// methods may be called from any goroutine.
type Memory struct {
	limit int64 // bytes

	mu   sync.Mutex // guards the rest
	used int64
	err  error // once the limit was passed: what is given back is not free before the next collection
}

// NewMemory returns a Memory of limit bytes.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit} }

// Take takes n bytes. If they are not there the error is a *[LimitError], then and later.
func (m *Memory) Take(n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used += n; m.used > m.limit && m.err == nil {
		m.err = &LimitError{LimitMemory, m.limit}
	}
	return m.err
}

// Give gives n bytes back.
func (m *Memory) Give(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= n
}
