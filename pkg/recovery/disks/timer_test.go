package disks

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

const timeOut = session1 + "/recovery_tmo"

const mapped = unit + "/block/sda/holders/dm-0"

// A value that multipathd writes is replaced unless multipathd has a map on the disk; a value that
// others write is the administrator's choice.
func TestRestoreTimeout(t *testing.T) {
	for _, tt := range []struct {
		name    string
		by      string // the program, if known
		daemon  bool   // multipathd runs
		mapped  bool
		down    bool // the session
		due     bool // the kernel does not have ours yet
		value   string
		kernel  string // what it has then
		ours    uint32
		isDue   bool
		log     string
		reports string
	}{
		{"ours", "", true, false, false, false, "86400", "86400", 86400, false, "", ""},
		{
			"multipathd", "multipathd", true, false, false, false, "5", "86400", 86400, false,
			"multipathd set recovery_tmo of session 1 to 5 s: put back to 86400 s (blacklist the disk in multipath.conf to stop this)",
			"session 1 timer 86400 put-back 1 by multipathd\n",
		},
		{"multipath", "multipath", false, false, false, false, "5", "86400", 86400, false, "multipath set recovery_tmo", "by multipath\n"},
		{"multipathd, with a map", "multipathd", true, true, false, false, "5", "5", 86400, false, "", ""},
		{
			"multipathd, and the session is down since", "multipathd", true, false, true, false, "5", "5", 86400, true,
			"put back to 86400 s when it is logged in again (", "put-back 1",
		},
		{"another program", "sh", true, false, false, false, "300", "300", 300, false, "recovery_tmo of session 1 was set to 300 s by sh: kept", ""},
		{"another program, without an end", "sh", true, false, false, false, "off", "off", session.Never, false, "was set to off by sh", ""},
		{"another program, with a map", "sh", true, true, false, false, "300", "300", 300, false, "by sh: kept", ""},
		{"not known which, multipathd runs", "", true, false, false, false, "5", "86400", 86400, false, "multipathd set", "by multipathd\n"},
		{"not known which, multipathd runs with a map", "", true, true, false, false, "5", "5", 86400, false, "", ""},
		{"not known which, multipathd does not run", "", false, false, false, false, "300", "300", 300, false, "was set to 300 s by another program: kept", ""},
		{"not set yet", "sh", false, false, false, true, "120", "120", 86400, true, "", ""},
		{"nonsense", "sh", false, false, false, false, "soon", "soon", 86400, false, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.up, r.due = !tt.down, tt.due
			r.write(map[string]string{timeOut: tt.value + "\n"})
			if tt.daemon {
				r.write(map[string]string{"proc/77/comm": "multipathd\n"})
			}
			if tt.mapped {
				r.write(map[string]string{mapped: "", "class/block/dm-0/dm/uuid": "mpath-1\n"})
			}
			k := r.keeper(Memory{})
			for range 2 { // the second time all is as it should be
				k.timersWritten([]write{{1, tt.by}, {9, "sh"}})
			}
			r.is(timeOut, tt.kernel)
			if got, due := r.Recovery(); got != tt.ours || due != tt.isDue {
				t.Errorf("ours is %d, due %v", got, due)
			}
			if log := strings.Join(r.log, "\n"); !strings.Contains(log, tt.log) || len(r.log) > 1 || tt.log == "" && log != "" {
				t.Errorf("logged %q", r.log)
			}
			if got := k.Report(); !strings.Contains(got, tt.reports) || tt.reports == "" && got != "" {
				t.Errorf("reports %q", got)
			}
			if changed := tt.log != ""; changed != (r.changes == 1) {
				t.Errorf("%d changes were reported", r.changes)
			}
		})
	}
}

// The time-out of a path of the boot's map is kept from multipathd, which has the map too: with its
// value the commands in flight would wait.
func TestTimeoutOfPath(t *testing.T) {
	r := newRig(t)
	r.ours, r.isPath = 0, true
	r.write(map[string]string{timeOut: "5\n", mapped: "", "class/block/dm-0/dm/uuid": "mpath-1\n"})
	r.keeper(Memory{}).timersWritten([]write{{1, "multipathd"}})
	r.is(timeOut, "0")
	if log := strings.Join(r.log, "\n"); log != "multipathd set recovery_tmo of session 1 to 5 s: put back to 0 s" {
		t.Errorf("logged %q", log)
	}
}

// It is replaced each time, and logged once, also by the next worker; the same happens when a map
// is removed.
func TestRestoreTimeoutAgain(t *testing.T) {
	r := newRig(t)
	r.write(map[string]string{"proc/77/comm": "multipathd\n", "class/block/dm-0/dm/uuid": "mpath-1\n"})
	k := r.keeper(Memory{})
	for range 3 {
		r.write(map[string]string{timeOut: "5\n"})
		k.timersWritten([]write{{1, daemon}})
		r.is(timeOut, "86400")
	}
	k = r.next(k)
	r.write(map[string]string{timeOut: "5\n"})
	k.checkAll()
	r.is(timeOut, "86400")
	if len(r.log) != 1 || !strings.Contains(k.Report(), "put-back 4 by multipathd") {
		t.Errorf("logged %q, reports %q", r.log, k.Report())
	}

	r.write(map[string]string{mapped: "", timeOut: "5\n"})
	k.timersWritten([]write{{1, daemon}})
	k.checkAll()
	r.is(timeOut, "5")
	r.remove(mapped)
	r.remove("proc/77")
	k.checkAll()
	r.is(timeOut, "86400")
	r.remove(timeOut) // the session has ended
	k.checkAll()
	if len(r.log) != 1 {
		t.Errorf("logged %q", r.log)
	}
}
