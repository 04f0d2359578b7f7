package status

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Sessions returns a paragraph for each session in the kernel, and for each array on their disks.
// sys is where sysfs is mounted.
func Sessions(sys string) string {
	sids := kernel.Sysfs(sys).Sessions()
	if len(sids) == 0 {
		return "there is no iSCSI session\n"
	}
	var out strings.Builder
	for _, sid := range sids {
		if kernel.Sysfs(sys).Reserved(sid) {
			fmt.Fprintf(&out, "session %d: not logged in: it has had no connection\n", sid)
			continue
		}
		writeSession(&out, kernel.Sysfs(sys), sid, "", nil)
	}
	text, _ := arrays(sys, true)
	return out.String() + text
}

// field is a line of a paragraph.
type field [2]string

// writeSession writes a paragraph, with mark after its heading and more fields at its end.
func writeSession(out *strings.Builder, sys kernel.Sysfs, sid uint32, mark string, more []field) {
	a := attributes{sys, sid}
	_, _ = fmt.Fprintf(out, "session %d: %s%s\n", sid, a.state(), mark)
	fields := []field{
		{"target", a.session("targetname") + ", portal group " + a.session("tpgt")},
		{"portal", a.portal()},
		{"initiator", a.session("initiatorname")},
		{"disks", disksOf(string(sys), sid)},
		{"negotiated", a.negotiated()},
		{"timers", fmt.Sprintf("ping after %s s, lost %s s later, I/O waits %s s for it to come back", a.conn("recv_tmo"), a.conn("ping_tmo"), a.session("recovery_tmo"))},
	}
	for _, r := range append(fields, more...) {
		_, _ = fmt.Fprintf(out, "  %-10s %s\n", r[0], r[1])
	}
}

// known returns an attribute, "unknown" if it is empty, as some are before the login.
func known(text string, err error) string {
	if err != nil || kernel.NoValue(text) {
		return "unknown"
	}
	return text
}

// attributes are those of a session and of its connection.
type attributes struct {
	sys kernel.Sysfs
	sid uint32
}

func (a attributes) session(name string) string { return known(a.sys.Session(a.sid, name)) }
func (a attributes) conn(name string) string    { return known(a.sys.Connection(a.sid, 0, name)) }

// state describes the states of the kernel (drivers/scsi/ scsi_transport_iscsi.c:
// iscsi_session_state_names, connection_state_names).
func (a attributes) state() string {
	state := a.session("state")
	names := map[string]string{
		"LOGGED_IN": "logged in",
		"FAILED":    "no connection: lost, or not made yet",
		"FREE":      "not logged in",
	}
	if text, ok := names[state]; ok {
		state = text
	}
	return state + " (connection " + a.conn("state") + ")"
}

func (a attributes) portal() string {
	now, given := a.conn("address")+" port "+a.conn("port"), a.conn("persistent_address")+" port "+a.conn("persistent_port")
	switch {
	case strings.HasPrefix(now, "unknown"):
		return given + ", not connected"
	case now != given:
		return now + ", given as " + given
	}
	return now
}

// lastPortal is the portal that the session is connected to, or else the one that its last login
// began at; "" if there was none.
func (a attributes) lastPortal() string {
	for _, prefix := range []string{"", "persistent_"} {
		if addr := a.conn(prefix + "address"); addr != "unknown" {
			return addr + " port " + a.conn(prefix+"port")
		}
	}
	return ""
}

func disksOf(sys string, sid uint32) string {
	luns, err := blockdev.LUNs(sys, sid)
	if err != nil || len(luns) == 0 {
		return "none"
	}
	var out []string
	for _, u := range luns {
		switch {
		case u.Absent:
			out = append(out, fmt.Sprintf("lun %d has no device at the target", u.Number))
			continue
		case !u.IsDisk():
			out = append(out, fmt.Sprintf("lun %d is not a disk (%s)", u.Number, u.TypeText()))
			continue
		case u.Disk == "":
			out = append(out, fmt.Sprintf("lun %d has no block device yet", u.Number))
			continue
		}
		size := ""
		if disk, err := blockdev.Read(sys, u.Disk); err == nil {
			size = fmt.Sprintf(" (%d MiB%s)", disk.Size>>20, topsOn(sys, u.Disk))
		}
		out = append(out, fmt.Sprintf("lun %d is %s%s", u.Number, u.Disk, size))
	}
	return strings.Join(out, ", ")
}

// topsOn names the devices of device-mapper and the arrays that stand on a disk, and on which no
// other one stands.
func topsOn(sys, disk string) string {
	text := ""
	for _, name := range blockdev.Holders(sys, disk) {
		d, err := blockdev.Read(sys, name)
		if err == nil && stacked(d) && len(blockdev.Holders(sys, name)) == 0 {
			text += ", " + cmp.Or(d.Map, d.Name)
		}
	}
	return text
}

// negotiated lists the operational parameters of the login, by the names of RFC 7143 section 13.
func (a attributes) negotiated() string {
	var out []string
	for _, p := range []struct {
		key       string
		conn      bool // an attribute of the connection
		attribute string
	}{
		{"HeaderDigest", true, "header_digest"},
		{"DataDigest", true, "data_digest"},
		{"InitialR2T", false, "initial_r2t"},
		{"ImmediateData", false, "immediate_data"},
		{"FirstBurstLength", false, "first_burst_len"},
		{"MaxBurstLength", false, "max_burst_len"},
		{"MaxRecvDataSegmentLength", true, "max_recv_dlength"},
		{"MaxXmitDataSegmentLength", true, "max_xmit_dlength"},
		{"MaxOutstandingR2T", false, "max_outstanding_r2t"},
		{"ErrorRecoveryLevel", false, "erl"},
	} {
		value := a.session(p.attribute)
		if p.conn {
			value = a.conn(p.attribute)
		}
		if strings.HasSuffix(p.attribute, "digest") {
			value = cmp.Or(map[string]string{"0": "None", "1": "CRC32C"}[value], value)
		}
		out = append(out, p.key+"="+value)
	}
	half := (len(out) + 1) / 2
	return strings.Join(out[:half], " ") + "\n             " + strings.Join(out[half:], " ")
}
