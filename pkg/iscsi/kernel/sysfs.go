package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Sysfs is where sysfs is mounted, "/sys": the one reader of the kernel's attributes of iSCSI
// (drivers/scsi/scsi_transport_iscsi.c: the classes iscsi_session, iscsi_connection and
// iscsi_host).
type Sysfs string

// Sessions lists the ids of all sessions, in the order of their names.
func (s Sysfs) Sessions() []uint32 {
	dirs, _ := filepath.Glob(filepath.Join(string(s), "class/iscsi_session/session*"))
	var out []uint32
	for _, dir := range dirs {
		if sid, err := strconv.ParseUint(strings.TrimPrefix(filepath.Base(dir), "session"), 10, 32); err == nil {
			out = append(out, uint32(sid))
		}
	}
	return out
}

// SessionPath is the file of a session's attribute.
func (s Sysfs) SessionPath(sid uint32, attribute string) string {
	return fmt.Sprintf("%s/class/iscsi_session/session%d/%s", s, sid, attribute)
}

// Session reads an attribute of a session. os.ErrNotExist: there is no such session, or no such
// attribute of it yet.
func (s Sysfs) Session(sid uint32, attribute string) (string, error) {
	return read(s.SessionPath(sid, attribute))
}

// NoValue reports whether the kernel shows by a text that an attribute has no value
// (lib/vsprintf.c: a NULL pointer).
func NoValue(text string) bool { return text == "" || text == "(null)" || text == "<NULL>" }

// Reserved reports whether a session has no target: it gets that at its first login, so it never
// had disks.
func (s Sysfs) Reserved(sid uint32) bool {
	target, err := s.Session(sid, "targetname")
	return err == nil && NoValue(target)
}

// Connection reads an attribute of a session's connection.
func (s Sysfs) Connection(sid, cid uint32, attribute string) (string, error) {
	return read(fmt.Sprintf("%s/class/iscsi_connection/connection%d:%d/%s", s, sid, cid, attribute))
}

// Host reads an attribute of an iSCSI host. A host over TCP has one session, and shows the address
// of its socket (drivers/scsi/iscsi_tcp.c: iscsi_sw_tcp_host_get_param).
func (s Sysfs) Host(host uint32, attribute string) (string, error) {
	return read(fmt.Sprintf("%s/class/iscsi_host/host%d/%s", s, host, attribute))
}

// HostOf finds the SCSI host of a session, in its place among the devices:
// .../platform/host2/session1/iscsi_session/session1.
func (s Sysfs) HostOf(sid uint32) (uint32, bool) {
	link, err := filepath.EvalSymlinks(fmt.Sprintf("%s/class/iscsi_session/session%d", s, sid))
	if err != nil {
		return 0, false
	}
	for part := range strings.SplitSeq(link, "/") {
		if n, ok := strings.CutPrefix(part, "host"); ok {
			if host, err := strconv.ParseUint(n, 10, 32); err == nil {
				return uint32(host), true
			}
		}
	}
	return 0, false
}

func read(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}
