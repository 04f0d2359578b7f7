package ibft

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// ErrNone reports that there is no table.
var ErrNone = errors.New("this machine's firmware provides no iBFT")

// The part of memory where firmwares put the table, but for the screen's
// (drivers/firmware/iscsi_ibft_find.c: IBFT_START, IBFT_END, VGA_MEM, VGA_SIZE).
const (
	LowMemoryStart = 0x80000
	LowMemoryEnd   = 0x100000

	screenStart = 0xa0000
	screenEnd   = 0xc0000
)

// Scan searches memory for a table, in steps of 16 bytes. It returns the bytes of the first whose
// length and checksum fit, or nil.
func Scan(memory []byte) []byte {
	for at := 0; at+tableHeaderLen <= len(memory); at += 16 {
		for _, s := range signatures() {
			if string(memory[at:at+4]) != s {
				continue
			}
			if r, err := newReader(memory[at:]); err == nil {
				return r.b
			}
		}
	}
	return nil
}

// Find looks for a table where Linux shows it: the ACPI tables in sys, which is /sys; iscsi_ibft's
// directory there; and low memory, by memory, which is /dev/mem and may be nil. from names the
// place. The error is ErrNone where there is no table at all, else as Parse's.
//
// memory is read from LowMemoryStart to LowMemoryEnd at most, which is meaningful on PCs alone.
func Find(sys fs.FS, memory io.ReaderAt) (t Table, from string, err error) {
	for _, s := range signatures() {
		b, err := fs.ReadFile(sys, "firmware/acpi/tables/"+s)
		if err == nil {
			t, err = Parse(b)
			return t, "ACPI table " + s, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Table{}, "", fmt.Errorf("read iBFT: %w", err)
		}
	}
	if dir, err := fs.Sub(sys, "firmware/ibft"); err == nil && exists(dir) {
		t, err = FromSysfs(dir)
		return t, "iscsi_ibft", err
	}
	if memory == nil {
		return Table{}, "", ErrNone
	}
	b, at, err := scanLow(memory)
	if err != nil || b == nil {
		return Table{}, "", errors.Join(err, ErrNone)
	}
	t, err = Parse(b)
	return t, fmt.Sprintf("memory at %#x", at), err
}

// exists reports whether the directory has anything that iscsi_ibft puts there.
func exists(dir fs.FS) bool {
	_, err := fs.Stat(dir, "initiator")
	return err == nil
}

// scanLow reads and scans low memory, below and above the screen's. A page that cannot be read ends
// its part.
func scanLow(memory io.ReaderAt) (table []byte, at int, err error) {
	for _, part := range [][2]int{{LowMemoryStart, screenStart}, {screenEnd, LowMemoryEnd}} {
		buf := make([]byte, part[1]-part[0])
		n, rerr := memory.ReadAt(buf, int64(part[0]))
		if n < len(buf) && rerr != nil && !errors.Is(rerr, io.EOF) {
			err = errors.Join(err, fmt.Errorf("read memory at %#x: %w", part[0]+n, rerr))
		}
		if b := Scan(buf[:n]); b != nil {
			return b, part[0] + bytes.Index(buf, b), nil
		}
	}
	return nil, 0, err
}
