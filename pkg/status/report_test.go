package status

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// system writes the files of a running system, and returns where they are.
func system(t *testing.T, files map[string]string) System {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return System{Sys: dir + "/sys", Run: dir + "/run", Proc: dir + "/proc", SinceBoot: 100 * time.Second}
}

const agentSays = "since-boot 90\n" +
	"session 1 target iqn.a:t state down owner iscsiroot outages 3 longest 75.2 down 20.0\n" +
	"session 1 portal 10.0.0.1:3260\nsession 1 portal 10.0.1.1:3260\n" +
	"session 1 leg md127\n" +
	"session 1 timer 86400 put-back 3 by multipathd\nsession 1 disk sda errors-for 40\n" +
	"session 1 cause \"target closed the connection\"\nsession 1 cause \"connection refused\\x1b[2J\"\n" +
	"link ens3 mac 52:54:00:77:00:01 address 10.0.0.2/24 by dhcp state there put-back 2 now 10.0.0.2/24\n" +
	"lease ens3 from 10.0.0.1 since 5 renew 160 ends 3705\n" +
	"agent supervisor replaced 1 reason ended at 15\nagent worker replaced 3 reason stopped at 88\n"

// parsed parses a report.
func parsed(t *testing.T, text string) *agentReport {
	t.Helper()
	s, err := runstate.ParseStatus(text)
	if err != nil {
		t.Fatal(err)
	}
	return &agentReport{Status: s}
}

func TestReport(t *testing.T) {
	s := system(t, map[string]string{
		"sys/class/iscsi_session/session1/state":            "FAILED\n",
		"sys/class/iscsi_session/session1/targetname":       "iqn.a:t\n",
		"run/iscsiroot/status":                              agentSays,
		"run/iscsiroot/sessions":                            "# x\nsession 1 target iqn.a:t portal 10.0.0.1:3260 initiator iqn.i root\n",
		"run/iscsiroot/lease-ens3":                          "",
		"run/systemd/network/a.network.d/50-iscsiroot.conf": "",
		"run/systemd/network/b.network":                     "",
		"proc/5/cmdline":                                    "@iscsiroot\x00",
		"proc/5/stat":                                       "5 (shutdown) S 1 5 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 1000 12",
		"proc/6/cmdline":                                    "@iscsiroot-agent\x00",
		"proc/6/stat":                                       "6 (exe) R 5 6 6 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 1000 12",
	})
	text, wrong := Report(s)
	_, got, _ := strings.Cut(text, "come back\n")
	want := `  kept by    iscsiroot
  outages    3, the longest 1m15s
  down       for 30.0 s
  timer      recovery_tmo put back to 86400 s 3 times after multipathd: blacklist the disk in multipath.conf
  array      leg of md127 is down: md127 works without it
  disk       sda answers every command with an error for 50.0 s: see the target's log
  tried at   10.0.0.1:3260, 10.0.1.1:3260
  because    target closed the connection
  because    connection refused?[2J
network ens3 (52:54:00:77:00:01): 10.0.0.2/24, dhcp, put back 2 times
lease of ens3: from 10.0.0.1, ends in 1h0m5s, is renewed in 1m0s
agent: running
  its supervisor was replaced once 1m25s ago: it had ended
  its worker was replaced 3 times, the last time 12.0 s ago: it was stopped
handed over to the running system by:
`
	for _, name := range []string{"systemd/network/a.network.d/50-iscsiroot.conf", "iscsiroot/lease-ens3", "iscsiroot/sessions"} {
		want += "  " + filepath.Join(s.Run, name) + "\n"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.HasPrefix(text, "session 1: no connection: lost, or not made yet (connection unknown), root is on it\n") {
		t.Errorf("got %s", text)
	}
	if diff := cmp.Diff([]string{"session 1 is down"}, wrong); diff != "" {
		t.Error(diff)
	}
}

// A session that was made for a path that is not used is not down. One whose login is still tried
// is, by the list or by the agent's report.
func TestReportOfReserved(t *testing.T) {
	s := system(t, map[string]string{
		"sys/class/iscsi_session/session1/state":      "FREE\n",
		"sys/class/iscsi_session/session1/targetname": "(null)\n",
		"sys/class/iscsi_session/session2/state":      "FREE\n",
		"sys/class/iscsi_session/session2/targetname": "(null)\n",
		"sys/class/iscsi_session/session3/state":      "FREE\n",
		"sys/class/iscsi_session/session3/targetname": "(null)\n",
		"run/iscsiroot/status":                        "since-boot 90\nsession 1 target iqn.a state down owner iscsiroot outages 0 longest 0 down 20.0\n",
		"run/iscsiroot/sessions":                      "session 2 target iqn.a portal 10.0.0.1:3260 initiator iqn.i root\n",
	})
	text, wrong := Report(s)
	for _, want := range []string{"session 1: not logged in (connection unknown)\n", "session 2: not logged in (connection unknown), root is on it\n", "\nsession 3: not used\nagent: "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if len(wrong) != 3 || wrong[0] != "session 1 is down" || wrong[1] != "session 2 is down" { // and the agent
		t.Errorf("wrong: %q", wrong)
	}
}

func TestReportOfNothing(t *testing.T) {
	text, wrong := Report(system(t, nil))
	if text != "there is no iSCSI session\nagent: not running: the sessions are not recovered: start iscsid, or boot again\n" || len(wrong) != 2 {
		t.Errorf("%q, %q", text, wrong)
	}
}

// The present addresses of a link come first.
func TestLinks(t *testing.T) {
	const boot = "link ens3 mac 52:54:00:77:00:01 address 10.0.0.2/24 by static state "
	for line, want := range map[string]string{
		boot + "there put-back 0":                                                   "network ens3 (52:54:00:77:00:01): 10.0.0.2/24, static",
		boot + "there put-back 0 now 10.0.0.2/24":                                   "network ens3 (52:54:00:77:00:01): 10.0.0.2/24, static",
		boot + "there put-back 0 now 10.0.0.2/24 place br0":                         "network ens3 (52:54:00:77:00:01), port of br0: 10.0.0.2/24, static",
		boot + "lost put-back 3 now -":                                              "network ens3 (52:54:00:77:00:01): no address; from the boot: 10.0.0.2/24, static, lost, put back 3 times",
		boot + "there put-back 0 now 10.0.0.9/24,10.1.0.9/16":                       "network ens3 (52:54:00:77:00:01): 10.0.0.9/24, 10.1.0.9/16; from the boot: 10.0.0.2/24, static",
		boot + "there put-back 1 now 10.0.0.9/24,10.0.0.2/24 temporary 10.0.0.2/24": "network ens3 (52:54:00:77:00:01): 10.0.0.9/24, 10.0.0.2/24 (temporary); from the boot: 10.0.0.2/24, static, put back 1 times",
	} {
		if diff := cmp.Diff([]string{want}, parsed(t, line).network(0)); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
}

func FuzzAgentReport(f *testing.F) {
	f.Add(agentSays)
	f.Add("agent worker replaced 2 reason stuck at 7\nagent x replaced\n")
	f.Add("link e mac m address 10.0.0.2/24 by static state lost put-back 1 now 10.0.0.9/24,10.0.0.2/24 place br0 temporary 10.0.0.2/24\n")
	f.Add("session 1 cause \"\nlink\nlease x y\n")
	f.Fuzz(func(t *testing.T, text string) {
		status, err := runstate.ParseStatus(text)
		if err != nil {
			return
		}
		s := agentReport{Status: status}
		for _, r := range s.fields(1, time.Hour) {
			if r[0] == "because" && strings.ContainsAny(r[1], "\x1b\n") {
				t.Errorf("%q reaches the terminal", r[1])
			}
		}
		_, _ = s.network(time.Hour), s.replaced(time.Hour)
	})
}
