package arrays

import (
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// Made is an array that runs for root or /usr.
type Made struct {
	Node     string // "md127"
	Metadata string // "1.2"
	Set      md.UUID
	Path     string // "/dev/md/root", or "/dev/md127" for one without a name
}

// MadeOf returns the arrays of plans. Those of other layers' assemblies are skipped.
func MadeOf(plans []any) (out []Made) {
	for _, plan := range plans {
		p, ok := plan.(*assembly)
		if !ok || p.node == "" {
			continue
		}
		m := Made{Node: p.node, Metadata: p.metadata, Set: p.set, Path: "/dev/" + p.node}
		if p.link != "" {
			m.Path = filepath.Join("/dev", p.link)
		}
		out = append(out, m)
	}
	return out
}
