package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// wwidPrefix marks a WWID in iscsi_multipath= that does not have the form of one.
const wwidPrefix = "wwid:"

// maxPathNICs is the limit of NICs and of WWIDs in iscsi_multipath=.
const maxPathNICs = 16

// multipath reads iscsi_multipath=: a boolean, or a list of NICs and WWIDs. They differ in
// their length: a NIC's name has at most 15 bytes, a WWID in hex at least 17, and a MAC has colons.
func (ps *parser) multipath(p cmdline.Param) error {
	const form = "1, 0, or a list with commas: NICs by name or MAC, and WWIDs such as 35000c500a1b2c3d4, or wwid:WWID"
	m := &ps.plan.Multipath
	if offWord(p.Value) {
		set(ps, &m.On, false, p)
		return nil
	}
	var more Multipath
	for one := range strings.SplitSeq(p.Value, ",") {
		id, isID := strings.CutPrefix(one, wwidPrefix)
		nic, isNIC := readPathNIC(one)
		switch {
		case one == "" && p.Value != "":
			return bad(p, "an entry of the list is empty", form)
		case onWord(one):
		case offWord(one):
			return bad(p, "it is on and off", form)
		case isID && isWWID(id), isHexWWID(id):
			more.IDs = append(more.IDs, Value[string]{id, source(p)})
		case isID:
			return bad(p, show(id)+" is not a WWID", form)
		case isNIC:
			more.NICs = append(more.NICs, Value[NIC]{nic, source(p)})
		default:
			return bad(p, show(one)+" is neither a NIC nor a WWID", form)
		}
	}
	if len(m.NICs)+len(more.NICs) > maxPathNICs || len(m.IDs)+len(more.IDs) > maxPathNICs {
		return tooMany(p, "it names more than 16 NICs or WWIDs", "fewer")
	}
	set(ps, &m.On, true, p)
	m.NICs, m.IDs = append(m.NICs, more.NICs...), append(m.IDs, more.IDs...)
	return nil
}

// onWord and offWord report whether a value is a boolean, as dracut, systemd and the kernel write
// it.
func onWord(s string) bool {
	return slices.Contains([]string{"", "1", "on", "yes", "true", "default"}, strings.ToLower(s))
}

func offWord(s string) bool {
	return slices.Contains([]string{"0", "off", "no", "false", "none"}, strings.ToLower(s))
}

// readPathNIC reads a NIC's name or its MAC.
func readPathNIC(s string) (NIC, bool) {
	if mac, ok := readMAC(s); ok {
		return NIC{MAC: mac}, true
	}
	return NIC{Name: s}, isInterface(s)
}

// otherMultipath reads the words of other programs that are on or off. Off means the same as here.
// On they are the default: dracut's rd.multipath starts multipathd, which joins the disks of
// several sessions, and makes no session.
func (ps *parser) otherMultipath(p cmdline.Param) error {
	if offWord(p.Value) {
		set(ps, &ps.plan.Multipath.On, false, p)
	}
	return nil
}

// noMultipath reads nompath.
func (ps *parser) noMultipath(p cmdline.Param) error {
	if !offWord(p.Value) {
		set(ps, &ps.plan.Multipath.On, false, p)
	}
	return nil
}

// wwid reads Red Hat's mpath.wwid=. One that cannot be read is no error: the disks are joined if
// they need no WWID for that.
func (ps *parser) wwid(p cmdline.Param) error {
	m := &ps.plan.Multipath
	switch {
	case !isWWID(p.Value):
		ps.warnf("%s is ignored: %s is not a WWID: write it as multipath -ll shows it", source(p), show(p.Value))
	case len(m.IDs) >= maxPathNICs:
		ps.warnf("%s is ignored: more than %d WWIDs", source(p), maxPathNICs)
	default:
		m.IDs = append(m.IDs, Value[string]{p.Value, source(p)})
	}
	return nil
}
