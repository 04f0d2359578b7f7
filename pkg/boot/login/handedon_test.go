package login

import (
	"context"
	"errors"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/boot/netup"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// The agent gets the sessions that are logged in, and those that are still tried and have an
// address: it cannot look names up. Of the latter it scans the LUN that is given, or all.
func TestHandedOn(t *testing.T) {
	for _, tt := range []struct {
		name    string
		session *session.Session
		state   loginState
		lun     bootspec.Value[iscsi.LUN]
		want    bool
		scans   uint64
		scan    bool
	}{
		{"up", sessionAt("10.2.0.9"), loginUp, bootspec.Value[iscsi.LUN]{}, true, 0, false},
		{"given up", sessionAt("10.2.0.9"), loginLost, bootspec.Value[iscsi.LUN]{}, false, 0, false},
		{"still tried", sessionAt("10.2.0.9"), loginPending, bootspec.Value[iscsi.LUN]{}, true, kernel.ScanAll, true},
		{"still tried for a LUN", sessionAt("10.2.0.9"), loginPending, bootspec.Value[iscsi.LUN]{V: iscsi.MakeLUN(3), From: "iscsi_lun="}, true, 3, true},
		{"still tried by a name that is not known", &session.Session{}, loginPending, bootspec.Value[iscsi.LUN]{}, false, kernel.ScanAll, true},
	} {
		ss := New(Config{Net: &netup.Result{Spec: bootspec.Spec{Targets: []bootspec.Target{{LUN: tt.lun}}}}, Log: &steptest.Recorder{}})
		ss.list, ss.logins = []*session.Session{tt.session}, &logins{states: []loginState{tt.state}}
		if got := ss.handedOn(0); got != tt.want {
			t.Errorf("%s: handed over %v", tt.name, got)
		}
		if luns := tt.session.State().UnscannedLUNs; (len(luns) > 0) != tt.scan || tt.scan && luns[0] != tt.scans {
			t.Errorf("%s: the agent scans %v", tt.name, luns)
		}
	}
}

// Once the agent has the sessions, nothing here guards them: work is done once, and counts as done
// on a session that was lost.
func TestWithoutGuard(t *testing.T) {
	ss := New(Config{Log: &steptest.Recorder{}})
	ss.list = []*session.Session{sessionAt("10.2.0.9")}
	ss.unguard()
	failed, calls := errors.New("failed"), 0
	err := ss.RepeatIfLost(context.Background(), ss.list[0], func(lost bool) error {
		if calls++; !lost {
			t.Error("the session was not lost")
		}
		return failed
	})
	if !errors.Is(err, failed) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}
