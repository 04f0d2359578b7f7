package rootfs

import (
	"context"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
)

// newReads returns the reads of one search, which the caller ends.
func (st *Storage) newReads(ctx context.Context) *reads.Set { return reads.New(ctx, diskSessions{st}) }

// diskSessions are the sessions of a Storage's disks.
type diskSessions struct{ *Storage }

// SessionsOf implements reads.Sessions.
func (ds diskSessions) SessionsOf(name string) (out []int) {
	disks := ds.allDisks()
	whole := ds.Maps().WholeOf(name)
	at := slices.IndexFunc(disks, func(d *blockdev.Device) bool {
		return d.Name == name || d.Name == whole || d.Name == strings.TrimRight(name, "0123456789") // sda2
	})
	if at < 0 {
		return nil
	}
	for _, u := range ds.lunsOf(disks[at]) {
		out = append(out, u.session)
	}
	return out
}

// Describe implements reads.Sessions.
func (ds diskSessions) Describe(i int) (sid uint32, target string) {
	s := ds.Sessions.List()[i]
	return s.SID, s.Target
}

// WaitDown implements reads.Sessions.
func (ds diskSessions) WaitDown(ctx context.Context, i int) error {
	return ds.Sessions.WaitDown(ctx, i)
}
