package status

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The agent runs only if its worker can.
func TestAgent(t *testing.T) {
	const lost = "not running: the sessions are not recovered: "
	for name, c := range map[string]struct {
		processes []string // name and state of each
		line      string
		keptBy    string
		right     bool
	}{
		"both":                   {[]string{"@iscsiroot S", "@iscsiroot-agent S"}, "running", "iscsiroot", true},
		"busy, and in a call":    {[]string{"@iscsiroot D", "@iscsiroot-agent R"}, "running", "iscsiroot", true},
		"first worker":           {[]string{"@iscsiroot-boot S"}, "running", "iscsiroot", true},
		"first, then supervisor": {[]string{"@iscsiroot-boot S", "@iscsiroot S"}, "running", "iscsiroot", true},
		"one ends, next starts":  {[]string{"@iscsiroot Z", "@iscsiroot S", "@iscsiroot-agent S", "@iscsiroot-agent Z"}, "running", "iscsiroot", true},
		"first stopped":          {[]string{"@iscsiroot-boot T"}, lost + "it is stopped (process 10): kill -CONT 10", "nothing: the agent does not run", false},
		"supervisor stopped": {
			[]string{"@iscsiroot T", "@iscsiroot-agent S"},
			"running, but its supervisor is stopped (process 10): the worker replaces it within 10 s", "iscsiroot", false,
		},
		"supervisor dead": {
			[]string{"@iscsiroot-agent S"},
			"running, but its supervisor has ended, and the worker could not start another one yet: see the kernel's log", "iscsiroot", false,
		},
		"worker dead": {
			[]string{"@iscsiroot S", "@iscsiroot-agent Z"},
			lost + "its worker has ended: the supervisor starts another one within 15 s", "nothing: the agent does not run", false,
		},
		"worker stopped": {
			[]string{"@iscsiroot S", "@iscsiroot-agent t"},
			lost + "its worker is stopped (process 11): the supervisor starts another one within 15 s", "nothing: the agent does not run", false,
		},
		"supervisor stopped, worker dead": {
			[]string{"@iscsiroot T"},
			lost + "its supervisor is stopped (process 10) and its worker has ended: kill -CONT 10", "nothing: the agent does not run", false,
		},
		"both stopped": {
			[]string{"@iscsiroot T", "@iscsiroot-agent T"},
			lost + "its supervisor is stopped (process 10) and its worker is stopped (process 11): kill -CONT 10", "nothing: the agent does not run", false,
		},
		"worker stopped alone": {
			[]string{"@iscsiroot-agent T"},
			lost + "its worker is stopped (process 10) and its supervisor has ended: kill -CONT 10", "nothing: the agent does not run", false,
		},
		"dead": {[]string{"@iscsiroot Z", "@iscsiroot-agent Z"}, lost + "start iscsid, or boot again", "nothing: the agent does not run", false},
		"dead, and iscsid": {
			[]string{"/sbin/iscsid S"}, "not running: iscsid alone recovers the sessions", "iscsid", false,
		},
		"dead, and iscsid stopped": {[]string{"/sbin/iscsid T"}, lost + "start iscsid, or boot again", "nothing: the agent does not run", false},
		"others": {
			[]string{"@iscsiroot-else S", "iscsiroot-agent S", "/bin/@iscsiroot-agent S", "vi S"},
			lost + "start iscsid, or boot again", "nothing: the agent does not run", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{
				"sys/class/iscsi_session/session1/state": "LOGGED_IN\n",
				"run/iscsiroot/status":                   "since-boot 90\nsession 1 target iqn.a state up owner iscsiroot outages 0 longest 0.0 down 0.0\n",
			}
			for i, p := range c.processes {
				name, state, _ := strings.Cut(p, " ")
				if state == "Z" {
					name = "" // it has exited
				} else {
					name += "\x00"
				}
				files[fmt.Sprintf("proc/%d/cmdline", 10+i)] = name
				comm := "exe"
				if strings.HasPrefix(name, "/sbin/") {
					comm = "iscsid"
				}
				files[fmt.Sprintf("proc/%d/stat", 10+i)] = fmt.Sprintf("%d (%s) %s 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 1000 12", 10+i, comm, state)
			}
			text, wrong := Report(system(t, files))
			if want := "agent: " + c.line + "\n"; !strings.Contains(text, want) || !strings.Contains(text, "  kept by    "+c.keptBy+"\n") {
				t.Errorf("want %sand %s in\n%s", want, c.keptBy, text)
			}
			if right := len(wrong) == 0; right != c.right {
				t.Errorf("wrong: %q", wrong)
			}
		})
	}
}

// An old report is shown as old, and ignored if there is a newer one.
func TestStaleReport(t *testing.T) {
	s := system(t, map[string]string{
		"sys/class/iscsi_session/session1/state": "LOGGED_IN\n",
		"run/iscsiroot/status.stale":             agentSays,
		"run/iscsiroot/status.new":               "",
		"proc/5/cmdline":                         "@iscsiroot\x00", "proc/5/stat": "5 (shutdown) S 1 5 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 1000 12",
		"proc/6/cmdline": "@iscsiroot-agent\x00", "proc/6/stat": "6 (exe) S 5 6 6 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 1000 12",
	})
	s.SinceBoot += 5 * time.Minute
	text, wrong := Report(s)
	for _, want := range []string{
		"  old        what follows is as it was 5m10s ago\n  kept by    iscsiroot\n",
		"the agent's report is 5m10s old, and what follows of the network: it cannot write another one: is " + s.Run + " full?\nnetwork ens3",
		"agent: running\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	if diff := cmp.Diff([]string{"the agent's report is old"}, wrong); diff != "" || strings.Contains(text, "handed over") {
		t.Errorf("%s%s", diff, text)
	}
	if err := os.WriteFile(filepath.Join(s.Run, "iscsiroot/status"), []byte(agentSays), 0o644); err != nil {
		t.Fatal(err)
	}
	if text, wrong := Report(s); len(wrong) != 0 || strings.Contains(text, "old") {
		t.Errorf("wrong %q in\n%s", wrong, text)
	}
}
