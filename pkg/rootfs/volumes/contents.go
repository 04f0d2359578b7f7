package volumes

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// matches reports whether a volume is the one that is named, or has the wanted superblock. One that
// only the kernel can read matches if the search wants such.
func (l *Layer) matches(name string, plan []lvm.Volume) (readable, ok bool) {
	top := plan[len(plan)-1]
	text := fmt.Sprintf("%s (%d MiB", name, top.Sectors>>11)
	defer func() { l.Seen = append(l.Seen, text+")") }()
	if l.Want.Name != "" {
		return true, true
	}
	files, r, err := l.contents(plan)
	defer closeAll(files)
	if errors.Is(err, table.ErrNotReadable) {
		l.Hidden = true
		return false, l.Want.Hidden
	}
	var fsys blockdev.Filesystem
	if err == nil {
		fsys, err = blockdev.Probe(r, int64(top.Sectors)*table.SectorSize)
	}
	var several *blockdev.AmbiguousError
	switch {
	case errors.As(err, &several):
		for _, one := range several.Found {
			if l.Want.Match(one) {
				return true, true
			}
		}
	case l.Temporary(err):
		for _, d := range l.places {
			l.Unread = append(l.Unread, Unread{d, err})
		}
	case err == nil:
		text += ", " + strings.TrimSuffix(strings.TrimPrefix((&blockdev.Device{Content: &blockdev.Content{FS: fsys}}).Describe(), " (0 MiB, "), ")")
		return true, l.Want.Match(fsys)
	}
	return true, false
}

// contents opens what a volume would contain.
func (l *Layer) contents(plan []lvm.Volume) (files []*blockdev.File, top io.ReaderAt, err error) {
	made := map[string]uint32{} // volumes have numbers of major 0 here, which no device has
	readers := map[table.Number]io.ReaderAt{}
	number := func(ref lvm.Ref) (table.Number, bool) {
		if ref.PV == "" {
			n, ok := made[ref.Volume]
			return table.Number{Minor: n}, ok
		}
		d := l.places[ref.PV]
		if d == nil {
			return table.Number{}, false
		}
		n := table.Number(d.Number)
		if readers[n] == nil {
			f, ferr := l.Open(filepath.Join(l.Dev, d.Name))
			if ferr != nil {
				err = ferr
				return n, false
			}
			files, readers[n] = append(files, f), f
		}
		return n, true
	}
	for i, v := range plan {
		t, terr := v.Table(number)
		if err != nil || terr != nil {
			return files, nil, errors.Join(err, terr)
		}
		r, rerr := t.Reader(func(n table.Number) io.ReaderAt { return readers[n] })
		if rerr != nil {
			return files, nil, rerr
		}
		made[v.Name] = uint32(i + 1)
		readers[table.Number{Minor: uint32(i + 1)}], top = r, r
	}
	return files, top, nil
}

func closeAll(files []*blockdev.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
