package status

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// System is where the running system shows itself.
type System struct {
	Sys, Run, Proc string
	// SinceBoot is the time since boot, that of sleep included.
	SinceBoot time.Duration
}

// Report is the whole state in words, and what is wrong with it, one line each.
func Report(s System) (text string, wrong []string) {
	var out strings.Builder
	said := readReport(filepath.Join(s.Run, "iscsiroot/status"))
	said.agent = findAgent(s.Proc)
	sids := sessions(s.Sys)
	if len(sids) == 0 {
		out.WriteString("there is no iSCSI session\n")
		wrong = append(wrong, "there is no iSCSI session")
	}
	roots := rootSessions(filepath.Join(s.Run, "iscsiroot/sessions"))
	for _, sid := range sids {
		mark := ""
		if slices.Contains(roots, sid) {
			mark = ", root is on it"
		}
		if state := word(filepath.Join(s.Sys, "class/iscsi_session/session"+sid), "state"); state != "LOGGED_IN" {
			wrong = append(wrong, "session "+sid+" is down")
		}
		writeSession(&out, s.Sys, sid, mark, said.rows(sid, s.SinceBoot))
	}
	if said.stale {
		fmt.Fprintf(&out, "the agent's report is %s old, and what follows of the network: it cannot write another one: is %s full?\n", seconds(max(0, s.SinceBoot-said.at)), s.Run)
		wrong = append(wrong, "the agent's report is old")
	}
	for _, line := range said.network(s.SinceBoot) {
		out.WriteString(line + "\n")
	}
	line, why := said.agent.verdict()
	if out.WriteString("agent: " + line + "\n"); why != "" {
		wrong = append(wrong, why)
	}
	for _, line := range said.replaced(s.SinceBoot) {
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

// rootSessions reads which sessions are root's from package handover's list.
func rootSessions(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var sids []string
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) > 2 && f[0] == "session" && f[len(f)-1] == "root" {
			sids = append(sids, f[1])
		}
	}
	return sids
}

// handedOver lists the files below run that tell network managers and init what
// to leave alone: they have our name in theirs.
func handedOver(run string) []string {
	var files []string
	for _, dir := range []string{"systemd", "NetworkManager", "netplan", "network", "initramfs", "iscsiroot"} {
		_ = filepath.WalkDir(filepath.Join(run, dir), func(path string, d fs.DirEntry, err error) error {
			ours := strings.Contains(filepath.Base(path), "iscsiroot") || dir == "initramfs" || dir == "iscsiroot"
			if err == nil && d.Type().IsRegular() && ours && !strings.HasPrefix(path, filepath.Join(run, "iscsiroot/status")) {
				files = append(files, path)
			}
			return nil
		})
	}
	return files
}

// seconds writes a number of seconds as people do.
func seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
