package debug

import (
	"context"
	"os"
	"testing"
)

// Of several terminals the first with a line is chosen, and the others are no longer read.
func TestFirstEnter(t *testing.T) {
	var readers, writers []*os.File
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _, _ = r.Close(), w.Close() }()
		readers, writers = append(readers, r), append(writers, w)
	}
	_ = writers[0].Close() // has hung up
	_, _ = writers[2].WriteString("\n")
	got, err := firstEnter(t.Context(), readers)
	if err != nil || got != readers[2] {
		t.Errorf("got %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := firstEnter(ctx, readers); err == nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
}
