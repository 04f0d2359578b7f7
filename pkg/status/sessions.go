package status

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

// Sessions is a paragraph for each session of the kernel's. sys is where sysfs
// is mounted.
func Sessions(sys string) string {
	sids := sessions(sys)
	if len(sids) == 0 {
		return "there is no iSCSI session\n"
	}
	var out strings.Builder
	for _, sid := range sids {
		writeSession(&out, sys, sid, "", nil)
	}
	return out.String()
}

// sessions lists the kernel's session ids.
func sessions(sys string) []string {
	dirs, _ := filepath.Glob(filepath.Join(sys, "class/iscsi_session/session*"))
	var sids []string
	for _, dir := range dirs {
		sids = append(sids, strings.TrimPrefix(filepath.Base(dir), "session"))
	}
	return sids
}

// row is a line of a paragraph.
type row [2]string

// writeSession writes a paragraph, with a word more behind its head and more
// rows at its end.
func writeSession(out *strings.Builder, sys, sid, mark string, more []row) {
	dir := filepath.Join(sys, "class/iscsi_session/session"+sid)
	conn := filepath.Join(sys, "class/iscsi_connection/connection"+sid+":0")
	_, _ = fmt.Fprintf(out, "session %s: %s%s\n", sid, sessionState(dir, conn), mark)
	rows := []row{
		{"target", word(dir, "targetname") + ", portal group " + word(dir, "tpgt")},
		{"portal", portalOf(conn)},
		{"initiator", word(dir, "initiatorname")},
		{"disks", disksOf(sys, sid)},
		{"negotiated", negotiated(dir, conn)},
		{"timers", fmt.Sprintf("ping after %s s, lost %s s later, I/O waits %s s for it to come back", word(conn, "recv_tmo"), word(conn, "ping_tmo"), word(dir, "recovery_tmo"))},
	}
	for _, r := range append(rows, more...) {
		_, _ = fmt.Fprintf(out, "  %-10s %s\n", r[0], r[1])
	}
}

// word is an attribute, "unknown" where the kernel does not say: it has none
// before the login.
func word(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	text := strings.TrimSpace(string(b))
	if err != nil || text == "" || text == "(null)" || text == "<NULL>" {
		return "unknown"
	}
	return text
}

// sessionState puts the kernel's words into ours (drivers/scsi/
// scsi_transport_iscsi.c: iscsi_session_state_names, connection_state_names).
func sessionState(dir, conn string) string {
	state := word(dir, "state")
	said := map[string]string{
		"LOGGED_IN": "logged in",
		"FAILED":    "no connection: lost, or not made yet",
		"FREE":      "not logged in",
	}
	if text, ok := said[state]; ok {
		state = text
	}
	return state + " (connection " + word(conn, "state") + ")"
}

func portalOf(conn string) string {
	now, given := word(conn, "address")+" port "+word(conn, "port"), word(conn, "persistent_address")+" port "+word(conn, "persistent_port")
	switch {
	case strings.HasPrefix(now, "unknown"):
		return given + ", not connected"
	case now != given:
		return now + ", given as " + given
	}
	return now
}

func disksOf(sys, sid string) string {
	id, err := strconv.ParseUint(sid, 10, 32)
	if err != nil {
		return "unknown"
	}
	luns, err := blockdev.LUNs(sys, uint32(id))
	if err != nil || len(luns) == 0 {
		return "none"
	}
	var out []string
	for _, u := range luns {
		if !u.IsDisk() {
			out = append(out, fmt.Sprintf("lun %d is not a disk (SCSI type %d)", u.Number, u.Type))
			continue
		}
		size := ""
		if disk, err := blockdev.Read(sys, u.Disk); err == nil {
			size = fmt.Sprintf(" (%d MiB)", disk.Size>>20)
		}
		out = append(out, fmt.Sprintf("lun %d is %s%s", u.Number, u.Disk, size))
	}
	return strings.Join(out, ", ")
}

// negotiated lists what the login agreed on, by the names of RFC 7143 section
// 13.
func negotiated(dir, conn string) string {
	var out []string
	for _, p := range []struct{ key, dir, attribute string }{
		{"HeaderDigest", conn, "header_digest"},
		{"DataDigest", conn, "data_digest"},
		{"InitialR2T", dir, "initial_r2t"},
		{"ImmediateData", dir, "immediate_data"},
		{"FirstBurstLength", dir, "first_burst_len"},
		{"MaxBurstLength", dir, "max_burst_len"},
		{"MaxRecvDataSegmentLength", conn, "max_recv_dlength"},
		{"MaxXmitDataSegmentLength", conn, "max_xmit_dlength"},
		{"MaxOutstandingR2T", dir, "max_outstanding_r2t"},
		{"ErrorRecoveryLevel", dir, "erl"},
	} {
		value := word(p.dir, p.attribute)
		if strings.HasSuffix(p.attribute, "digest") {
			value = cmp.Or(map[string]string{"0": "None", "1": "CRC32C"}[value], value)
		}
		out = append(out, p.key+"="+value)
	}
	half := (len(out) + 1) / 2
	return strings.Join(out[:half], " ") + "\n             " + strings.Join(out[half:], " ")
}
