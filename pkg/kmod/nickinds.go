package kmod

import "io/fs"

// askKinds asks the files of modules whose path says nothing for their kind, and their aliases.
func (x *Index) askKinds(fsys fs.FS, o Options) {
	unsure := map[string]*record{}
	var paths []string
	var mods []*record
	for i := range x.mods {
		r := &x.mods[i]
		if _, sure := r.kindByPath(); sure || r.kind != KindOther {
			continue
		}
		unsure[r.Name] = r
		if !r.gone && r.line > 0 { // the others have been asked
			paths, mods = append(paths, r.Path), append(mods, r)
		}
	}
	if len(unsure) == 0 {
		return
	}
	infos, errs := readInfos(fsys, paths, o.Unpack)
	for i, r := range mods {
		switch {
		case errs[i] != nil: // its aliases may tell
		case infos[i].Ethernet:
			r.kind = KindEthernet
		case isWireless(infos[i]):
			delete(unsure, r.Name)
		}
	}
	for _, a := range x.aliases.entries {
		if r := unsure[a.module]; r != nil && isNIC(a.pattern) {
			r.kind = KindEthernet
		}
	}
}
