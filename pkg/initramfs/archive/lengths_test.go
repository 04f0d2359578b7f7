package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zstdFrame is a frame of RFC 8878 with a content of 100 zero bytes in blocks of raw bytes and of
// type RLE, which has one byte for all.
func zstdFrame(checksum bool) []byte {
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 100} // one segment, a length of one byte
	if checksum {
		b[4] |= 4
	}
	block := func(last, typ, size uint32, data ...byte) {
		word := last | typ<<1 | size<<3
		b = append(append(b, byte(word), byte(word>>8), byte(word>>16)), data...)
	}
	block(0, 0, 10, make([]byte, 10)...)
	block(0, 1, 80, 0)
	block(1, 0, 10, make([]byte, 10)...)
	if checksum {
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

// The length of a zstd frame is that of its blocks, of which those of type RLE have one byte, and
// of its checksum.
func TestZstdLength(t *testing.T) {
	for _, checksum := range []bool{false, true} {
		frame := zstdFrame(checksum)
		d, err := zstd.NewReader(nil, zstd.IgnoreChecksum(true))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := d.DecodeAll(frame, nil); err != nil || len(out) != 100 {
			t.Fatalf("the frame is not one: %d bytes, %v", len(out), err)
		}
		d.Close()
		if n, window, err := zstdLength(append(bytes.Clone(frame), "more"...)); n != len(frame) || window != 100 || err != nil {
			t.Errorf("checksum %v: %d bytes, window %d, %v, want %d", checksum, n, window, err, len(frame))
		}
		for i := range frame {
			if n, _, err := zstdLength(frame[:i]); err == nil {
				t.Errorf("cut off after %d: %d bytes", i, n)
			}
		}
	}
}

// xzStream is a stream of one block with sizes in its header, if with has their bits, as xz writes
// it with several threads.
func xzStream(with, dictionary, check byte) []byte {
	b := append([]byte(xzMagic), 0, check, 0, 0, 0, 0)
	head := []byte{0, with}
	if with&0x40 != 0 {
		head = append(head, 0x88, 0x01) // 136 bytes
	}
	if with&0x80 != 0 {
		head = append(head, 0x84, 0x01)
	}
	head = append(head, xzFilter, 1, dictionary)
	head = append(head, make([]byte, (-len(head)&3)+4)...) // and the CRC32
	head[0] = byte(len(head)/4 - 1)
	at := len(b)
	b = append(b, head...)
	b = append(b, 1, 0, 131)
	b = append(b, make([]byte, 132)...)
	b = append(b, 0)
	unpadded := len(b) - at + xzChecks[check]
	b = append(b, make([]byte, -len(b)&3)...)
	b = append(b, make([]byte, xzChecks[check])...)
	index := []byte{0, 1}
	index = binary.AppendUvarint(binary.AppendUvarint(index, uint64(unpadded)), 132)
	index = append(index, make([]byte, -len(index)&3)...)
	return append(append(append(b, index...), 0, 0, 0, 0), make([]byte, xzHeader)...)
}

// The length of an xz stream is found whichever sizes its blocks have in their headers, and its
// window is that of the largest dictionary (section 5.3.1).
func TestXZLength(t *testing.T) {
	for _, with := range []byte{0, 0x40, 0x80, 0xc0} {
		for _, check := range []byte{0, 1, 4, 10, 15} {
			stream := xzStream(with, 22, check)
			if n, window, err := xzLength(append(bytes.Clone(stream), "more"...)); n != len(stream) || window != 8<<20 || err != nil {
				t.Errorf("sizes %#x, check %d: %d bytes, window %d, %v, want %d", with, check, n, window, err, len(stream))
			}
			for i := range len(stream) - xzHeader {
				if n, _, err := xzLength(stream[:i]); err == nil {
					t.Errorf("sizes %#x, check %d, cut off after %d: %d bytes", with, check, i, n)
				}
			}
		}
	}
	for dictionary, want := range map[byte]int64{0: 4 << 10, 1: 6 << 10, 2: 8 << 10, 3: 12 << 10, 39: 3 << 30, 40: 4 << 30} {
		if _, window, err := xzLength(xzStream(0, dictionary, 1)); window != want || err != nil {
			t.Errorf("dictionary %d: window %d, %v, want %d", dictionary, window, err, want)
		}
	}
	if _, _, err := xzLength(xzStream(0, 41, 1)); err == nil {
		t.Error("a dictionary that section 5.3.1 does not have")
	}
}

// Legacy lz4 is blocks behind their lengths, and ends where none stands.
func TestLZ4Length(t *testing.T) {
	stream := binary.LittleEndian.AppendUint32(nil, lz4Magic)
	for _, n := range []int{5, 1, 100} {
		stream = append(binary.LittleEndian.AppendUint32(stream, uint32(n)), make([]byte, n)...)
	}
	for name, more := range map[string]string{"the end": "", "padding": "\x00\x00", "zeros": "\x00\x00\x00\x00", "an archive": "070701", "no length": "\xff\xff\xff\x7f"} {
		if n, window, err := lz4Length(append(bytes.Clone(stream), more...)); n != len(stream) || window != lz4Block || err != nil {
			t.Errorf("before %s: %d bytes, window %d, %v, want %d", name, n, window, err, len(stream))
		}
	}
	if n, _, err := lz4Length(append(bytes.Clone(stream), stream...)); n != 2*len(stream) || err != nil {
		t.Errorf("two streams: %d bytes, %v", n, err)
	}
	for _, bad := range [][]byte{nil, stream[:3], []byte("\x04\x22\x4d\x18\x00"), stream[:len(stream)-1]} {
		if n, _, err := lz4Length(bad); err == nil {
			t.Errorf("%d bytes: a stream of %d", len(bad), n)
		}
	}
}

// Zero bytes between archives count: the kernel looks for the next one at multiples of 4 bytes
// only. What cannot be read is an error, and not the end.
func TestNextArchive(t *testing.T) {
	for _, tt := range []struct {
		between string
		want    int
	}{{"", 2}, {"\x00", 1}, {"\x00\x00", 1}, {"\x00\x00\x00", 1}, {"\x00\x00\x00\x00", 2}} {
		r := newc{in: counted{src: bytes.NewReader([]byte(early("a") + tt.between + early("b"))), left: newBudget(DefaultLimits, DefaultLimits.Memory)}}
		var names []string
		if err := r.each(func(e Entry, _ io.Reader) error { names = append(names, e.Name); return nil }); err != nil || len(names) != tt.want {
			t.Errorf("%d zero bytes: %q, %v", len(tt.between), names, err)
		}
	}
	broken := errors.New("a broken disk")
	r := newc{in: counted{src: &brokenSource{strings.NewReader(early("a")), broken}, left: newBudget(DefaultLimits, DefaultLimits.Memory)}}
	if err := r.each(func(Entry, io.Reader) error { return nil }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

// brokenSource is a source that ends with an error.
type brokenSource struct {
	*strings.Reader
	err error
}

func (b *brokenSource) ReadByte() (byte, error) {
	c, err := b.Reader.ReadByte()
	if err != nil {
		err = b.err
	}
	return c, err
}

// Each regular file with content is visited once, whatever names it has; a link's and an empty one
// not at all.
func TestContents(t *testing.T) {
	tree, err := Index(load(t, "plain.cpio"), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	if err := tree.Contents(func(n *Node, r io.Reader) error {
		data, err := io.ReadAll(r)
		if _, twice := got[n.Name]; twice {
			t.Errorf("%s twice", n.Name)
		}
		got[n.Name] = string(data)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got["etc/numbers"] != numbers() || got["etc/hard"]+got["etc/hello"] != "hello\n" {
		t.Errorf("%q", got)
	}
	stop := errors.New("stop")
	if err := tree.Contents(func(*Node, io.Reader) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("what visit returns is lost: %v", err)
	}
	n, _ := tree.Lookup("etc/hard")
	var b bytes.Buffer
	if err := tree.CopyTo(&b, n); err != nil || b.String() != "hello\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if err := tree.CopyTo(fullDisk{}, n); !errors.Is(err, errFull) {
		t.Errorf("to a full disk: %v", err)
	}
}

var errFull = errors.New("full")

// fullDisk is a writer that takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// The content that an index does not hold cannot be read before it was asked for, in whichever way.
func TestFileOfIndex(t *testing.T) {
	tree, err := Index(load(t, "plain.cpio"), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	f, err := tree.Open("etc/numbers")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := f.(interface {
		io.ReadSeeker
		io.ReaderAt
	})
	if n, err := s.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if n, err := s.ReadAt(make([]byte, 1), 0); n > 0 || err == nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if _, err := s.Seek(0, io.SeekEnd); err == nil {
		t.Error("an end is known")
	}
}
