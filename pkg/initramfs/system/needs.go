package system

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/storage"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// Need is what the image must hold for something that it mounts.
type Need struct {
	Modules []string // one of them is enough
	Why     string   // "for / in root's etc/fstab"
	Sure    bool     // without it the boot fails; else the files of the system only hint at it
	Err     error    // it cannot be mounted, whatever the image holds; there are no Modules then
}

// Needs returns what root stands on by the parameters, and what the mounts of the system stand on.
func (s System) Needs(root bootspec.Root) []Need {
	n := needs{s: s}
	if root.Device.Given() {
		n.device(root.Device.V.String(), "for "+root.Device.From)
	}
	for _, name := range root.LVM.Names {
		n.kind("lvm", "for "+name.From, true)
	}
	for _, uuid := range root.MD.UUIDs {
		n.array(Array{UUID: uuid.V}, "for "+uuid.From, true)
	}
	for _, m := range s.Mounts {
		spec := m.Spec
		if d, ok := bootspec.ParseDevice(spec); ok && byContents(d) && m.Was != "" {
			spec = m.Was
		}
		n.device(spec, "for "+m.Dir+" in root's etc/fstab")
	}
	return n.out
}

// Unmet returns what is missing in an image, as messages. lacks returns what it lacks of a module.
func (n Need) Unmet(lacks func(module string) []string) []string {
	if n.Err != nil {
		return []string{n.Why + ": " + n.Err.Error()}
	}
	var out []string
	for _, name := range n.Modules {
		texts := lacks(name)
		if len(texts) == 0 {
			return nil
		}
		for _, text := range texts {
			out = append(out, n.Why+": "+text)
		}
	}
	if len(n.Modules) > 1 {
		out = []string{n.Why + ": of the modules " + strings.Join(n.Modules, ", ") + " one is needed, and there is none"}
	}
	return out
}

// byContents reports whether a name is of a file system, which can be on any kind of device.
func byContents(d bootspec.Device) bool {
	return d.By == bootspec.ByUUID || d.By == bootspec.ByLabel
}

type needs struct {
	s   System
	out []Need
}

func (n *needs) add(why string, sure bool, modules ...string) {
	for _, other := range n.out {
		if slices.Equal(other.Modules, modules) && (other.Sure || !sure) {
			return
		}
	}
	n.out = append(n.out, Need{Modules: modules, Why: why, Sure: sure})
}

// kind adds the modules without which devices of a kind cannot be made.
func (n *needs) kind(name, why string, sure bool) {
	required, _, _ := storage.Modules([]string{name}) // the kind is known
	for _, module := range required {
		n.add(why, sure, module)
	}
}

// device adds what a device needs that a line or a parameter names.
func (n *needs) device(spec, why string) {
	d, ok := bootspec.ParseDevice(spec)
	switch {
	case !ok:
	case d.By == bootspec.ByArray:
		n.array(Array{Device: spec}, why+", an md array", true)
	case d.By == bootspec.ByVolume:
		n.kind("lvm", why, true)
		for _, vg := range n.s.Groups {
			for _, lv := range vg.LVs {
				if lvm.DMName(vg.Name, lv.Name, "") == d.Text {
					n.volume(vg, lv.Name, why, true)
				}
			}
		}
	case d.By == bootspec.ByMap || d.By == bootspec.ByOnlyMap:
		n.kind("multipath", why+", a multipath map, in place of which one path is used else", false)
	case byContents(d):
		n.hints(why)
	}
}

// hints adds what a file system may need of which only the UUID or the label is known.
func (n *needs) hints(why string) {
	for _, a := range n.s.Arrays {
		n.array(a, why+", which may be on an md array of root's mdadm.conf", false)
	}
	on := ", which may be a logical volume: root has etc/lvm/"
	if len(n.s.Devices) > 0 {
		n.kind("lvm", why+on+"devices/system.devices", false)
	}
	for _, vg := range n.s.Groups {
		n.kind("lvm", why+on+"backup/"+vg.Name, false)
		for _, lv := range vg.Candidates(lvm.Options{}) {
			n.volume(vg, lv.Name, why+on+"backup/"+vg.Name, false)
		}
	}
}

// volume adds what a volume needs by the copy of its group's metadata, as if all disks were there.
func (n *needs) volume(vg *lvm.VG, name, why string, sure bool) {
	g := lvm.Group{VG: vg, Found: map[lvm.ID]lvm.Found{}}
	for _, pv := range vg.PVs {
		g.Found[pv.ID] = lvm.Found{Place: pv.Device, PV: lvm.PV{Device: math.MaxInt64}}
	}
	plan, err := g.Plan(name, lvm.Options{Degraded: true})
	var unsupported *lvm.UnsupportedError
	if errors.As(err, &unsupported) && sure {
		n.out = append(n.out, Need{Why: why, Sure: true, Err: err})
	}
	if err != nil {
		return
	}
	for _, v := range plan {
		for _, module := range v.Modules {
			n.add(why+": "+vg.Name+"/"+name, sure, module)
		}
	}
	for _, pv := range vg.PVs {
		if a, ok := n.below(pv); ok {
			n.array(a, why+": "+vg.Name+" is on an md array", sure)
		}
	}
}

// below returns the array on which a physical volume is, as LVM saw it last.
func (n *needs) below(pv lvm.PhysicalVolume) (Array, bool) {
	for _, d := range n.s.Devices {
		if d.IDType == "md_uuid" && d.PVID == string(pv.ID) {
			return Array{Device: d.Device, UUID: hexDigits(d.IDName)}, true
		}
	}
	d, _ := bootspec.ParseDevice(pv.Device) // a hint
	return Array{Device: pv.Device}, d.By == bootspec.ByArray
}

// array adds what an array needs: its level is that of mdadm.conf, or one of all.
func (n *needs) array(a Array, why string, sure bool) {
	n.kind("md", why, sure)
	for _, known := range n.s.Arrays {
		if a.Module == "" && (known.UUID != "" && known.UUID == a.UUID || known.Device != "" && known.Device == a.Device) {
			a.Module = known.Module
		}
	}
	if a.Module != "" {
		n.add(why, sure, a.Module)
		return
	}
	_, levels, _ := storage.Modules([]string{"md"}) // the kind is known
	n.add(why, sure, levels...)
}
