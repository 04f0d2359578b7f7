package disks

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// timer is one session's recovery_tmo.
type timer struct {
	path        string
	byMultipath bool   // set by multipathd, which has a map on the disks
	restored    int    // how often it was restored
	by          string // the program that set it last
}

// Names of multipath-tools' programs. Each writes recovery_tmo of each path of a map that it is
// about to create, before that has succeeded (libmultipath/discovery.c: sysfs_set_session_tmo).
const daemon, tool = "multipathd", "multipath"

// readTimer reads a recovery_tmo. A negative one is unlimited for the kernel, as "off" is.
func readTimer(path string) (uint32, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	text := strings.TrimSpace(string(b))
	if text == "off" {
		return session.Never, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	if n < 0 {
		return session.Never, nil
	}
	return uint32(n), nil
}

// seconds formats a recovery_tmo for messages.
func seconds(n uint32) string {
	if n == session.Never {
		return "off"
	}
	return fmt.Sprintf("%d s", n)
}

// checkTimer compares a session's recovery_tmo with the configured one. by is the program that has
// just written it; empty: unknown. A value of multipathd without a map on the session's disks, and
// with one of the boot, is replaced by the configured one; a value of any other program is the
// administrator's choice, and is kept. An unknown program is assumed to be multipathd while that
// runs: a value that is restored wrongly is logged, and one that is kept wrongly causes an I/O
// error in the next outage.
func (k *Keeper) checkTimer(s Session, by string) {
	t := k.timers[s.ID()]
	v, err := readTimer(t.path)
	ours, due := s.Recovery()
	if err != nil || due || v == ours { // due: the next login sets it
		t.byMultipath = t.byMultipath && v != ours
		return
	}
	multipath := by == daemon || by == tool
	if by == "" {
		if multipath = t.byMultipath || DaemonRuns(k.cfg.Proc); multipath {
			by = daemon
		}
	}
	switch {
	case !multipath:
		t.byMultipath, k.sessionsChanged = false, true
		s.AdoptRecovery(v)
		if by == "" {
			by = "another program"
		}
		k.cfg.Log.Infof("recovery_tmo of session %d was set to %s by %s: kept", s.ID(), seconds(v), by)
	case !s.IsPath() && k.mapped(s.ID()): // a map of the boot needs the boot's value
		t.byMultipath = true
	default:
		k.restoreTimer(s, t, v, by)
	}
}

// restoreTimer sets a session's recovery_tmo to its former value. The kernel refuses that while the
// session is down (EBUSY); the next login sets it then.
func (k *Keeper) restoreTimer(s Session, t *timer, v uint32, by string) {
	ours, _ := s.Recovery()
	if err := s.ReapplyRecovery(); err != nil {
		k.warn(t.path, err)
		return
	}
	t.byMultipath, t.by, k.sessionsChanged = false, by, true
	if t.restored++; t.restored > 1 {
		return
	}
	when := ""
	if _, due := s.Recovery(); due {
		when = " when it is logged in again"
	}
	hint := " (blacklist the disk in multipath.conf to stop this)"
	if s.IsPath() {
		hint = ""
	}
	k.cfg.Log.Warnf("%s set recovery_tmo of session %d to %s: put back to %s%s%s", by, s.ID(), seconds(v), seconds(ours), when, hint)
}

// mapped reports whether a multipath map is on one of a session's disks now.
func (k *Keeper) mapped(sid uint32) bool {
	return slices.ContainsFunc(findDisks(k.cfg.Sys, sid), func(d disk) bool { return d.multipath(k.cfg.Sys) })
}

// DaemonRuns reports whether a multipathd runs. proc is the mount point of procfs.
func DaemonRuns(proc string) bool { return processRuns(proc, daemon) }

// processRuns reports whether there is a process of that name.
func processRuns(proc, name string) bool {
	return slices.ContainsFunc(readNames(proc), func(pid string) bool {
		return pid[0] >= '0' && pid[0] <= '9' && readString(filepath.Join(proc, pid, "comm")) == name
	})
}
