package login

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/boot/netup"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// The agent gets the sessions that are logged in, and those that are still tried and have an
// address: it cannot look names up. Of the latter it scans the LUN that is given, those that other
// paths have in use, or all.
func TestHandedOn(t *testing.T) {
	for _, tt := range []struct {
		name    string
		session *session.Session
		state   loginState
		lun     bootspec.Value[iscsi.LUN]
		others  []uint64
		want    bool
		scans   []uint64
	}{
		{"up", sessionAt("10.2.0.9"), loginUp, bootspec.Value[iscsi.LUN]{}, []uint64{1}, true, nil},
		{"given up", sessionAt("10.2.0.9"), loginLost, bootspec.Value[iscsi.LUN]{}, nil, false, nil},
		{"still tried", sessionAt("10.2.0.9"), loginPending, bootspec.Value[iscsi.LUN]{}, nil, true, []uint64{kernel.ScanAll}},
		{"still tried for a LUN", sessionAt("10.2.0.9"), loginPending, bootspec.Value[iscsi.LUN]{V: iscsi.MakeLUN(3), From: "iscsi_lun="}, []uint64{1}, true, []uint64{3}},
		{"another path has LUNs", sessionAt("10.2.0.9"), loginPending, bootspec.Value[iscsi.LUN]{}, []uint64{1, 4}, true, []uint64{1, 4}},
		{"still tried by a name that is not known", &session.Session{}, loginPending, bootspec.Value[iscsi.LUN]{}, nil, false, []uint64{kernel.ScanAll}},
	} {
		ss := New(Config{Net: &netup.Result{Spec: bootspec.Spec{Targets: []bootspec.Target{{LUN: tt.lun}}}}, Log: &steptest.Recorder{}, LUNsOfPaths: func(int) []uint64 { return tt.others }})
		ss.list, ss.logins = []*session.Session{tt.session}, &logins{states: []loginState{tt.state}}
		if got := ss.handedOn(0); got != tt.want {
			t.Errorf("%s: handed over %v", tt.name, got)
		}
		if luns := tt.session.State().UnscannedLUNs; !slices.Equal(luns, tt.scans) {
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
