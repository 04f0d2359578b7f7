package volumes

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// matches returns what a volume is wanted for, by its name or by its contents. One that only the
// kernel can read matches if the search wants such.
func (l *Layer) matches(u use, plan []lvm.Volume) use {
	top := plan[len(plan)-1]
	text := fmt.Sprintf("%s (%d MiB", u.name, top.Sectors>>11)
	defer func() { l.Seen = append(l.Seen, text+")") }()
	if l.Want.Name != "" && u.itself {
		return u
	}
	files, r, err := l.contents(plan)
	defer closeAll(files)
	if errors.Is(err, table.ErrNotReadable) {
		l.Hidden = l.Hidden || u.itself
		return use{name: u.name, itself: u.itself && l.Want.Hidden, unread: true}
	}
	var fsys blockdev.Filesystem
	if err == nil {
		fsys, err = blockdev.Probe(r, int64(top.Sectors)*table.SectorSize)
	}
	found := []blockdev.Filesystem{fsys}
	var several *blockdev.AmbiguousError
	switch {
	case errors.As(err, &several):
		found = several.Found
	case l.Temporary(err):
		for _, d := range l.places {
			l.Unread = append(l.Unread, Unread{d, err})
		}
	case err == nil:
		text += ", " + strings.TrimSuffix(strings.TrimPrefix((&blockdev.Device{Content: &blockdev.Content{FS: fsys}}).Describe(), " (0 MiB, "), ")")
	}
	if err != nil && several == nil {
		return use{name: u.name}
	}
	u.itself = u.itself && slices.ContainsFunc(found, l.Want.Match)
	u.member = u.member && fsys.Type == blockdev.Member
	return u
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
