package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A bar is drawn once for each percent, and leaves nothing.
func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, shown: -1}
	show := p.show()
	for _, done := range []int64{0, 1, 2, 500, 1000} {
		show(done, 1000)
	}
	p.clear()
	want := "\r[" + strings.Repeat(".", 40) + "]   0 %" + "\r[" + strings.Repeat("#", 20) + strings.Repeat(".", 20) + "]  50 %" +
		"\r[" + strings.Repeat("#", 40) + "] 100 %" + "\r" + strings.Repeat(" ", 48) + "\r"
	if b.String() != want {
		t.Errorf("got %q", b.String())
	}
}

// Only a terminal gets one.
func TestProgressWantsATerminal(t *testing.T) {
	if newProgress(&bytes.Buffer{}).show() != nil {
		t.Error("a bar for a buffer")
	}
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if newProgress(file).show() != nil {
		t.Error("a bar for a file")
	}
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pty.Close()
	if newProgress(pty).show() == nil {
		t.Error("no bar for a terminal")
	}
}
