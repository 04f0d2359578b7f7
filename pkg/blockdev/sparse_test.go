package blockdev

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sparse is an image of which only some pieces are not zero: testdata/*.sparse, see
// testdata/README.
type sparse struct {
	size   int64
	pieces map[int64][]byte // by offset, a multiple of pieceLen
}

const pieceLen = 32

// ReadAt implements io.ReaderAt.
func (s *sparse) ReadAt(b []byte, off int64) (int, error) {
	n := min(int64(len(b)), max(s.size-off, 0))
	clear(b[:n])
	for at := off &^ (pieceLen - 1); at < off+n; at += pieceLen {
		piece := s.pieces[at]
		if at < off {
			piece = piece[min(int(off-at), len(piece)):]
		}
		copy(b[max(at-off, 0):n], piece)
	}
	if n < int64(len(b)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// put writes over the image.
func (s *sparse) put(off int64, b []byte) {
	for i, c := range b {
		at := off + int64(i)
		piece := slices.Clone(s.pieces[at&^(pieceLen-1)])
		for len(piece) < pieceLen {
			piece = append(piece, 0)
		}
		piece[at&(pieceLen-1)] = c
		s.pieces[at&^(pieceLen-1)] = piece
	}
}

// first returns the stretch of up to n bytes that begins with the first piece.
func (s *sparse) first(n int64) (off int64, b []byte) {
	off = slices.Min(slices.Collect(maps.Keys(s.pieces)))
	b = make([]byte, min(n, s.size-off))
	_, _ = s.ReadAt(b, off)
	return off, b
}

func readSparse(tb testing.TB, name string) *sparse {
	tb.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".sparse"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	s := &sparse{pieces: map[int64][]byte{}}
	lines := bufio.NewScanner(f)
	lines.Scan()
	if _, err := fmt.Sscanf(lines.Text(), "size %d", &s.size); err != nil {
		tb.Fatal(err)
	}
	for lines.Scan() {
		var at int64
		var text string
		if _, err := fmt.Sscanf(lines.Text(), "%x %s", &at, &text); err != nil {
			tb.Fatal(err)
		}
		if s.pieces[at], err = hex.DecodeString(text); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// sparseNames lists the images of testdata.
func sparseNames(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.sparse")
	if err != nil || len(files) < 20 {
		tb.Fatalf("testdata has %d images: %v", len(files), err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".sparse")
	}
	return files
}
