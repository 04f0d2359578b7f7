package status

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// System is the paths and the clock of the running system.
type System struct {
	Sys, Run, Proc string
	// SinceBoot is the time since boot, that of sleep included.
	SinceBoot time.Duration
	// Maps reads the multipath maps; nil: there are none.
	Maps func() ([]maps.Map, error)
}

// Report returns the whole state as text, and what is wrong with it, one line each.
func Report(s System) (text string, wrong []string) {
	var out strings.Builder
	report := readReport(filepath.Join(s.Run, runstate.Below, runstate.StatusName))
	report.agent = findAgent(s.Proc)
	sys := kernel.Sysfs(s.Sys)
	sids := sys.Sessions()
	if len(sids) == 0 {
		out.WriteString("there is no iSCSI session\n")
		wrong = append(wrong, "there is no iSCSI session")
	}
	listed := listedSessions(filepath.Join(s.Run, runstate.Below, runstate.SessionsName))
	for _, sid := range sids {
		at := slices.IndexFunc(listed, func(l runstate.Session) bool { return l.SID == sid })
		if at < 0 && sys.Reserved(sid) && !report.has(sid) {
			fmt.Fprintf(&out, "session %d: not used\n", sid) // its NIC does not lead to its portal
			continue
		}
		mark := ""
		if at >= 0 && listed[at].Root {
			mark = ", root is on it"
		}
		if state := known(sys.Session(sid, "state")); state != "LOGGED_IN" {
			wrong = append(wrong, fmt.Sprintf("session %d is down", sid))
		}
		writeSession(&out, sys, sid, mark, report.fields(sid, s.SinceBoot))
	}
	if root := rootStack(s); root != "" {
		out.WriteString("root: " + root + "\n")
	}
	if s.Maps != nil {
		all, err := s.Maps()
		if err != nil {
			fmt.Fprintf(&out, "multipath maps cannot be read: %v\n", err)
		}
		text, broken := multipath(s.Sys, ofSessions(all))
		out.WriteString(text)
		wrong = append(wrong, broken...)
	}
	text, degraded := arrays(s.Sys, true)
	out.WriteString(text)
	wrong = append(wrong, degraded...)
	if report.stale {
		fmt.Fprintf(&out, "the agent's report is %s old, and what follows of the network: it cannot write another one: is %s full?\n", seconds(report.Age(s.SinceBoot)), s.Run)
		wrong = append(wrong, "the agent's report is old")
	}
	for _, line := range report.network(s.SinceBoot) {
		out.WriteString(line + "\n")
	}
	line, why := report.agent.verdict()
	if out.WriteString("agent: " + line + "\n"); why != "" {
		wrong = append(wrong, why)
	}
	for _, line := range report.replaced(s.SinceBoot) {
		out.WriteString("  " + line + "\n")
	}
	if files := handedOver(s.Run); len(files) > 0 {
		out.WriteString("handed over to the running system by:\n")
		for _, f := range files {
			out.WriteString("  " + f + "\n")
		}
	}
	return out.String(), wrong
}

// listedSessions reads the list of the boot's sessions.
func listedSessions(path string) []runstate.Session {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	all, _ := runstate.ParseSessions(string(b))
	return all
}

// handedOver lists the files below run by which network managers and init leave root's network and
// sessions alone: their names contain iscsiroot.
func handedOver(run string) []string {
	var files []string
	for _, dir := range []string{"systemd", "NetworkManager", "netplan", "network", "initramfs", runstate.Below} {
		_ = filepath.WalkDir(filepath.Join(run, dir), func(path string, d fs.DirEntry, err error) error {
			own := strings.Contains(filepath.Base(path), "iscsiroot") || dir == "initramfs" || dir == runstate.Below
			if err == nil && d.Type().IsRegular() && own && !strings.HasPrefix(path, filepath.Join(run, runstate.Below, runstate.StatusName)) {
				files = append(files, path)
			}
			return nil
		})
	}
	return files
}

// seconds formats a duration.
func seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
