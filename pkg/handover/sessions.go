package handover

import (
	"fmt"
	"strings"
)

// sessions says which session is root's, for people and for scripts, and names
// the interface for Debian's open-iscsi, whose scripts leave it up at shutdown.
func sessions(f Facts) []File {
	var b strings.Builder
	b.WriteString("# Sessions that iscsiroot made before the real system started.\n")
	for _, s := range f.Sessions {
		mark := ""
		if s.Root {
			mark = " root"
		}
		_, _ = fmt.Fprintf(&b, "session %d target %s portal %s initiator %s%s\n", s.SID, s.Target, s.Portal, s.Initiator, mark)
	}
	files := []File{{Path: "iscsiroot/sessions", Mode: 0o644, Content: b.String()}}
	if len(f.Links) > 0 {
		files = append(files, File{Path: "initramfs/open-iscsi.interface", Mode: 0o644, Content: f.Links[0].Name + "\n"})
	}
	return files
}
