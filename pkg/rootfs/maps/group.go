package maps

import (
	"encoding/hex"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// tableOf returns the table of a map.
func tableOf(size int64, groups [][]multipath.Path, queue bool) table.Table {
	t := &table.Multipath{Queue: queue, First: 1}
	for _, paths := range groups {
		var g table.PathGroup
		for _, p := range paths {
			g.Paths = append(g.Paths, p.Number)
		}
		t.Groups = append(t.Groups, g)
	}
	return table.Table{{Length: uint64(size) / table.SectorSize, Target: t}}
}

// groupsOf puts paths into groups.
func groupsOf(paths []multipath.Path) [][]multipath.Path { return [][]multipath.Path{paths} }

// identify returns the WWID of a page 0x83.
func identify(page []byte) (multipath.ID, bool) {
	for b := page[min(4, len(page)):]; len(b) >= 4; {
		n := 4 + int(b[3])
		if n > len(b) {
			break
		}
		if b[1]&0x3f == 3 {
			return multipath.ID("3" + hex.EncodeToString(b[4:n])), true
		}
		b = b[n:]
	}
	return "", false
}
