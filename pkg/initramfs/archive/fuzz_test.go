package archive

import (
	"testing"
)

// FuzzRead: any bytes are read as an image or refused, within the limits; the segments lie in order
// inside of it, and the same is read from the segments alone.
func FuzzRead(f *testing.F) {
	for _, c := range packed {
		f.Add(load(f, string(c)))
	}
	f.Add(load(f, "xz-x86"))
	f.Add(load(f, "plain.cpio"))
	f.Add([]byte(early("first") + "\x00\x00\x00\x00" + early("second")))
	limits := Limits{Unpacked: 1 << 20, Entries: 1000, Memory: 32 << 20}
	f.Fuzz(func(t *testing.T, image []byte) {
		tree, err := Read(image, limits)
		var end int64
		for _, s := range tree.Segments {
			if s.Offset < end || err == nil && (s.Length <= 0 || s.Offset+s.Length > int64(len(image))) {
				t.Fatalf("segments %+v of %d bytes", tree.Segments, len(image))
			}
			end = s.Offset + s.Length
		}
		if err != nil {
			return
		}
		var again []byte
		for _, s := range tree.Segments {
			again = append(again, make([]byte, -len(again)&3)...)
			again = append(again, image[s.Offset:s.Offset+s.Length]...)
		}
		other, err := Read(again, limits)
		if err != nil || len(other.Names()) != len(tree.Names()) {
			t.Fatalf("the segments alone: %v, %d names, %d before", err, len(other.Names()), len(tree.Names()))
		}
	})
}
