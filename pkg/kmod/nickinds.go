package kmod

import "io/fs"

// setKinds sets the kind of modules whose path does not determine it, by their files and their
// aliases.
func (x *Index) setKinds(fsys fs.FS, o Options) {
	undetermined := map[string]*record{}
	var paths []string
	var mods []*record
	for i := range x.mods {
		r := &x.mods[i]
		if _, sure := r.kindByPath(); sure || r.kind != KindOther {
			continue
		}
		undetermined[r.Name] = r
		if !r.missing && r.line > 0 { // the others have been read by addFiles
			paths, mods = append(paths, r.Path), append(mods, r)
		}
	}
	if len(undetermined) == 0 {
		return
	}
	infos, errs := readInfos(fsys, paths, o.Unpack)
	for i, r := range mods {
		switch {
		case errs[i] != nil: // its aliases may still determine it
		case infos[i].Ethernet:
			r.kind = KindEthernet
		case isWireless(infos[i]):
			delete(undetermined, r.Name)
		}
	}
	for _, a := range x.aliases.entries {
		if r := undetermined[a.module]; r != nil && isNIC(a.pattern) {
			r.kind = KindEthernet
		}
	}
}
