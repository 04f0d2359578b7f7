package lvm

import (
	"fmt"
	"slices"
	"strings"
)

// UnsupportedError is an LV or a VG that cannot be activated here. Trying again does not help.
type UnsupportedError struct {
	VG, LV string // LV is empty if it is the whole VG
	What   string // what is in the way
	// SystemID is set if nothing is in the way but that the VG belongs to the host with this
	// system id.
	SystemID string
}

func (e *UnsupportedError) Error() string {
	if e.LV == "" {
		return fmt.Sprintf("volume group %s: not supported: %s", e.VG, e.What)
	}
	return fmt.Sprintf("logical volume %s/%s: not supported: %s", e.VG, e.LV, e.What)
}

func (p *planner) unsupported(lv *LV, what string) error {
	return &UnsupportedError{VG: p.vg.Name, LV: lv.Name, What: what}
}

// MissingError is an LV that needs PVs which are not there. They may come.
type MissingError struct {
	VG, LV     string
	PVs        []PhysicalVolume
	Degradable bool // with Options.Degraded the LV could do without them
}

func (e *MissingError) Error() string {
	var pvs []string
	for i := range e.PVs {
		p := &e.PVs[i]
		text := p.String()
		if p.missing() {
			text += ", which lvm has given up: see vgextend --restoremissing"
		}
		pvs = append(pvs, text)
	}
	return fmt.Sprintf("logical volume %s/%s: physical volumes are missing: %s", e.VG, e.LV, strings.Join(pvs, "; "))
}

// lacks reports whether a PV cannot be used: it is not there, or what is on it is old.
func (p *planner) lacks(pv *PhysicalVolume) bool {
	_, there := p.found[pv.ID]
	return !p.assumed && (!there || pv.missing())
}

// lack notes that the LV cannot be made without a PV, or, if it is degradable, not yet.
func (p *planner) lack(pv *PhysicalVolume, degradable bool) {
	if p.missing == nil {
		p.missing = &MissingError{Degradable: true}
	}
	p.missing.Degradable = p.missing.Degradable && degradable
	for i := range p.missing.PVs {
		if p.missing.PVs[i].ID == pv.ID {
			return
		}
	}
	p.missing.PVs = append(p.missing.PVs, *pv)
}

// Refused returns why no LV of the VG is to be activated: an *UnsupportedError.
func (vg *VG) Refused(o Options) error { return vg.refused(o.SystemID) }

func (vg *VG) refused(systemID string) error {
	refuse := func(what string) error { return &UnsupportedError{VG: vg.Name, What: what} }
	switch {
	case slices.Contains(vg.Status, "EXPORTED"):
		return refuse("it is exported: see vgimport(8)")
	case vg.SystemID != "" && vg.SystemID != systemID:
		return &UnsupportedError{VG: vg.Name, What: fmt.Sprintf("it belongs to the host with the system id %q: see lvmsystemid(7)", clip(vg.SystemID)), SystemID: vg.SystemID}
	case vg.LockType != "" && vg.LockType != "none":
		return refuse(fmt.Sprintf("it is shared by lock type %q: see lvmlockd(8)", clip(vg.LockType)))
	}
	for _, word := range vg.Status {
		switch word {
		case "RESIZEABLE", "READ", "WRITE":
		default:
			return refuse("its status is " + clip(word))
		}
	}
	return nil
}
