package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// walk calls visit for every entry of an image, in order, with a reader of its content. An error of
// visit ends the walk. The segments are those that were read, whole or as far as the error allowed.
func walk(image []byte, left *budget, visit func(Entry, io.Reader) error) ([]Segment, error) {
	w := &walker{image: image, left: left, visit: visit}
	if err := left.take(0); err != nil {
		return nil, err
	}
	for w.nextSegment() {
		n := len(w.segments) + 1
		if err := w.segment(); err != nil {
			return w.segments, fmt.Errorf("segment %d at byte %d: %w", n, w.at, err)
		}
	}
	if len(w.segments) == 0 {
		return nil, badf("it is empty")
	}
	return w.segments, nil
}

// walker goes through an image; at is where the segment begins that it reads.
type walker struct {
	image    []byte
	at       int
	left     *budget
	visit    func(Entry, io.Reader) error
	segments []Segment
}

// nextSegment skips the zero bytes between segments.
func (w *walker) nextSegment() bool {
	for w.at < len(w.image) && w.image[w.at] == 0 {
		w.at++
	}
	return w.at < len(w.image)
}

// segment reads one segment and moves behind it.
func (w *walker) segment() error {
	data := w.image[w.at:]
	seg := Segment{Offset: int64(w.at), Compression: detect(data)}
	var err error
	switch {
	case seg.Compression == "":
		return badf("neither a cpio archive nor one that is compressed: it begins with % x", data[:min(6, len(data))])
	case seg.Compression == None && w.at%4 != 0:
		return badf("a cpio archive that does not begin at a multiple of 4 bytes")
	case w.at%4 != 0 && len(w.segments) > 0 && w.segments[len(w.segments)-1].Compression == None:
		return badf("it does not begin at a multiple of 4 bytes behind a cpio archive") // do_reset: broken padding
	case seg.Compression == None:
		in := bytes.NewReader(data)
		err = w.entries(in, &seg)
		seg.Length = int64(len(data) - in.Len())
	default:
		err = w.unpack(data, &seg)
	}
	w.segments = append(w.segments, seg)
	if err == nil {
		w.at += int(seg.Length)
	}
	return err
}

// entries reads the archives in a stream.
func (w *walker) entries(in source, seg *Segment) error {
	r := &newc{in: counted{src: in, left: w.left}, segment: len(w.segments), single: seg.Compression == None}
	err := r.each(w.visit)
	seg.Unpacked, seg.Entries = r.in.pos, r.entries
	return err
}

// unpack reads a compressed segment to its end: as for the kernel, it has to end with an archive.
func (w *walker) unpack(data []byte, seg *Segment) error {
	z, err := decompress(seg.Compression, data, w.left)
	if err != nil {
		return err
	}
	defer z.close()
	in := bufio.NewReaderSize(z, 64<<10)
	if err := w.entries(in, seg); err != nil {
		return err
	}
	switch c, err := in.ReadByte(); {
	case err == nil:
		return badf("junk inside of the %s segment: % x", seg.Compression, c)
	case !errors.Is(err, io.EOF):
		return err
	}
	seg.Length = int64(z.consumed())
	if seg.Length <= 0 || seg.Length > int64(len(data)) {
		return badf("the %s segment has no end", seg.Compression)
	}
	return nil
}
