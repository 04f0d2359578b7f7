package rootfs

import (
	"context"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/calls"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/scan"
)

// compare reads what disks of different targets are compared by before they are joined: a copied
// target keeps the WWIDs of its LUNs. The places from fresh on are new. Of each target one disk is
// read that answers; without any it is not joined.
func (st *Storage) compare(ctx context.Context, fresh int) {
	type unit struct {
		target string
		lun    uint64
	}
	read := map[unit]string{}
	var doubtful []*place
	for i, p := range st.places {
		for j, q := range st.places {
			if (i >= fresh || j >= fresh) && multipath.Doubtful(p.Path, q.Path, st.allowed()) {
				doubtful = append(doubtful, p)
				break
			}
		}
	}
	for _, p := range doubtful {
		u := unit{p.Target, p.LUN}
		if read[u] != "" || !st.Sessions.Up(p.session) || reads.Down(diskSessions{st}, p.session) {
			continue
		}
		text, err := st.contentOf(ctx, p)
		if err != nil {
			st.Log.Debugf("compare %s: %v", p.Disk, err)
		}
		read[u] = text
	}
	for _, p := range doubtful {
		p.Content = read[unit{p.Target, p.LUN}]
	}
}

// contentOf returns a digest of the ends of a disk, which has to answer in time.
func (st *Storage) contentOf(ctx context.Context, p *place) (string, error) {
	path := filepath.Join(st.Maps().Dev, p.Disk)
	return calls.Ask(ctx, &st.calls, st.Sessions, st.Sessions.List()[p.session], scan.AskLimit, "comparison of "+p.Disk, func(context.Context) (string, error) {
		return blockdev.DigestOfEnds(path)
	})
}
