package archive

import (
	"bytes"
	"cmp"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"
)

// Open opens a file of the image, so that a Tree is an fs.FS. Links are followed inside of the
// image. Files are io.ReaderAt too.
func (t *Tree) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	n, err := t.Follow(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f := &file{t: t, info: info{n, path.Base(name)}}
	if n.IsDir() {
		f.list = n.list()
	}
	return f, nil
}

// ReadFile returns the content of a file.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	n := f.(*file).info.n
	if n.Type() != TypeRegular {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	data, err := t.Content(n)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return bytes.Clone(data), nil
}

// list returns what is in a directory.
func (n *Node) list() []fs.DirEntry {
	var out []fs.DirEntry
	for base, c := range n.children {
		out = append(out, fs.FileInfoToDirEntry(info{c, base}))
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return out
}

// file is an open file or directory.
type file struct {
	t    *Tree
	r    *bytes.Reader // nil before the first read
	info info
	list []fs.DirEntry
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

// reader returns a reader of the content.
func (f *file) reader() (*bytes.Reader, error) {
	if f.r != nil {
		return f.r, nil
	}
	data, err := f.t.Content(f.info.n)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: f.info.name, Err: err}
	}
	f.r = bytes.NewReader(data)
	return f.r, nil
}

// Read reads on.
func (f *file) Read(p []byte) (int, error) {
	r, err := f.reader()
	if err != nil {
		return 0, err
	}
	return r.Read(p)
}

// ReadAt reads at a place.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	r, err := f.reader()
	if err != nil {
		return 0, err
	}
	return r.ReadAt(p, off)
}

// Seek moves the place of the next read.
func (f *file) Seek(offset int64, whence int) (int64, error) {
	r, err := f.reader()
	if err != nil {
		return 0, err
	}
	return r.Seek(offset, whence)
}

// ReadDir returns the next n entries of a directory, or all if n is not positive.
func (f *file) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(f.list)
	} else if len(f.list) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.list))
	out := f.list[:n:n]
	f.list = f.list[n:]
	return out, nil
}

// info is a node as fs.FileInfo.
type info struct {
	n    *Node
	name string
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.n.Length() }
func (i info) ModTime() time.Time { return time.Unix(int64(i.n.MTime), 0).UTC() }
func (i info) IsDir() bool        { return i.n.IsDir() }
func (i info) Sys() any           { return i.n }
func (i info) Mode() fs.FileMode  { return i.n.FileMode() }

// FileMode returns Mode in the terms of io/fs.
func (e Entry) FileMode() fs.FileMode {
	mode := fs.FileMode(e.Mode & 0o777)
	for _, b := range []struct {
		bit  uint32
		mode fs.FileMode
	}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}} {
		if e.Mode&b.bit != 0 {
			mode |= b.mode
		}
	}
	switch e.Type() {
	case TypeRegular:
		return mode
	case TypeDir:
		return mode | fs.ModeDir
	case TypeSymlink:
		return mode | fs.ModeSymlink
	case TypeChar:
		return mode | fs.ModeDevice | fs.ModeCharDevice
	case TypeBlock:
		return mode | fs.ModeDevice
	case TypeFIFO:
		return mode | fs.ModeNamedPipe
	case TypeSocket:
		return mode | fs.ModeSocket
	}
	return mode | fs.ModeIrregular
}
