package lvm

// Kind is the type of an LV's segments as lvs(8) shows it: "linear", "raid1", "thin". Of several
// types it is the first.
func (l *LV) Kind() string {
	if len(l.Segments) == 0 {
		return "empty"
	}
	switch t := l.Segments[0].Type.(type) {
	case *Striped:
		if len(t.Areas) > 1 {
			return "striped"
		}
		return "linear"
	case *Raid:
		return t.Level
	case *ThinPool:
		return "thin-pool"
	case *Thin:
		return "thin"
	case *Unsupported:
		return t.Name
	}
	return "unknown"
}
