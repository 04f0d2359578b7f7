package archive

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Modules without an index are read in parallel.
func TestContentForGoroutines(t *testing.T) {
	const files = 2000
	var b strings.Builder
	for i := range files {
		b.WriteString(record(fmt.Sprint(i), 0o100644, 1, fmt.Sprint("text of ", i)))
	}
	tree, err := Index([]byte(b.String()+record(end, 0, 0, "")), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, files)
	err = tree.Settle(func() {
		var all sync.WaitGroup
		for first := range 8 {
			all.Go(func() {
				for i := first; i < files; i += 8 {
					data, _ := tree.ReadFile(fmt.Sprint(i)) // Settle loads it
					got[i] = string(data)
				}
			})
		}
		all.Wait()
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range got {
		if want := fmt.Sprint("text of ", i); text != want {
			t.Errorf("file %d: %q, want %q", i, text, want)
		}
	}
}
