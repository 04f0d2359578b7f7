package archive

import "fmt"

// Limits bound what an image may make of itself.
type Limits struct {
	Unpacked int64 // bytes of all segments, unpacked: they take time
	Entries  int   // files, directories and the like in all segments
	Memory   int64 // bytes for the image as it is packed, a decompressor's window, names, and content that is kept
}

// DefaultLimits are far above what distributions build: Debian's image with all modules has 400 MB
// and 5000 entries.
var DefaultLimits = Limits{Unpacked: 4 << 30, Entries: 1 << 18, Memory: 256 << 20}

// The fields of Limits by name, as LimitError has them.
const (
	LimitUnpacked = "unpacked"
	LimitEntries  = "entries"
	LimitMemory   = "memory"
)

// LimitError is of an image that is above one of the Limits.
type LimitError struct {
	Limit string // which: LimitUnpacked, LimitEntries or LimitMemory
	Max   int64  // bytes or entries
}

// Error names the limit.
func (e *LimitError) Error() string {
	switch e.Limit {
	case LimitUnpacked:
		return fmt.Sprintf("unpacked it has more than %d bytes", e.Max)
	case LimitEntries:
		return fmt.Sprintf("it has more than %d entries, or too long ways to them", e.Max)
	}
	return fmt.Sprintf("it takes more than %d bytes of memory", e.Max)
}

// stepsPerEntry is how many directories and links the way to an entry has, on average at most.
const stepsPerEntry = 64

// budget is what is left of the Limits.
type budget struct {
	limits   Limits
	bytes    int64
	entries  int
	memory   int64
	steps    int64
	err      error // the first limit that was passed
	entry    int   // entries so far
	trailers int   // archives that have ended
}

func newBudget(l Limits, memory int64) *budget {
	return &budget{limits: l, bytes: l.Unpacked, entries: l.Entries, memory: memory, steps: stepsPerEntry * int64(l.Entries)}
}

// take takes memory.
func (b *budget) take(n int64) error {
	if b.memory -= n; b.memory < 0 {
		b.fail(LimitMemory, b.limits.Memory)
	}
	return b.err
}

// step takes n steps on a way.
func (b *budget) step(n int) error {
	if b.steps -= int64(n); b.steps < 0 {
		b.fail(LimitEntries, int64(b.limits.Entries))
	}
	return b.err
}

func (b *budget) fail(limit string, maximum int64) {
	if b.err == nil {
		b.err = &LimitError{limit, maximum}
	}
}

// window takes the memory of a decompressor that refers n bytes back, and returns what gives it
// back.
func (b *budget) window(n int64) (done func(), err error) {
	if err := b.take(n); err != nil {
		return nil, err
	}
	return func() { b.memory += n }, nil
}
