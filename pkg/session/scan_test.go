package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// scanRig is a session with the kernel's attributes of it.
type scanRig struct {
	*Session
	t   *testing.T
	sys string
}

// newScanRig has a session that is up, without a unit. It is to be scanned for LUNs.
func newScanRig(t *testing.T, luns ...uint64) *scanRig {
	t.Helper()
	k := kerneltest.New()
	k.Sysfs = kernel.Sysfs(t.TempDir())
	tr := k.Transport()
	t.Cleanup(func() { k.Close(); _ = tr.Close() })
	r := &scanRig{
		Session: Reopen(tr, State{Record: Record{SID: 3, HostNo: 2, Initiator: initiator, Target: targetName}, UnscannedLUNs: luns}),
		t:       t, sys: string(k.Sysfs),
	}
	r.write("class/iscsi_session/session3/target_id", "0\n")
	r.write("class/iscsi_session/session3/state", "LOGGED_IN\n")
	r.write("class/iscsi_session/session3/device/target2:0:0/uevent", "")
	r.write("class/iscsi_connection/connection3:0/state", "up\n")
	r.write("class/scsi_host/host2/scan", "")
	return r
}

func (r *scanRig) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.sys, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		r.t.Fatal(err)
	}
}

// unit adds a unit, or changes it. A disk has a size, in sectors, unless that is negative.
func (r *scanRig) unit(lun uint64, typ int, sectors int) {
	r.t.Helper()
	address := fmt.Sprintf("2:0:0:%d", lun)
	dir := "class/iscsi_session/session3/device/target2:0:0/" + address
	r.write(dir+"/type", fmt.Sprintln(typ))
	if link := filepath.Join(r.sys, "class/scsi_device", address, "device"); os.MkdirAll(filepath.Dir(link), 0o755) == nil {
		_ = os.Symlink(filepath.Join(r.sys, dir), link)
	}
	if sectors < 0 {
		return
	}
	name := fmt.Sprintf("fake%d", lun)
	r.write(dir+"/block/"+name+"/size", fmt.Sprintln(sectors))
	r.write("class/block/"+name+"/device/rescan", "")
}

// written returns what was written to a file since the last call.
func (r *scanRig) written(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.sys, name))
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(name, "")
	return string(b)
}

// scanned returns what was scanned for since the last call.
func (r *scanRig) scanned() string { return r.written("class/scsi_host/host2/scan") }

// A LUN is scanned for until it has a disk with a size: one that appears later than the portal is
// found, and one of size 0 is probed again.
func TestScanUntilDisk(t *testing.T) {
	for name, tt := range map[string]struct {
		luns []uint64
		late func(r *scanRig) // what appears between the scans
		want []uint64         // what is to be scanned for after them
		scan string           // what the second scan is for
		read string           // whose size is read anew
	}{
		"no unit":                {[]uint64{1}, func(*scanRig) {}, []uint64{1}, "0 0 1", ""},
		"a disk appears":         {[]uint64{1}, func(r *scanRig) { r.unit(1, 0, 8) }, nil, "0 0 1", "fake1"},
		"without a size":         {[]uint64{1}, func(r *scanRig) { r.unit(1, 0, 0) }, []uint64{1}, "0 0 1", "fake1"},
		"without a block device": {[]uint64{1}, func(r *scanRig) { r.unit(1, 0, -1) }, []uint64{1}, "0 0 1", ""},
		"another LUN":            {[]uint64{1}, func(r *scanRig) { r.unit(2, 0, 8) }, []uint64{1}, "0 0 1", ""},
		"one of two":             {[]uint64{1, 2}, func(r *scanRig) { r.unit(1, 0, 8) }, []uint64{2}, "0 0 2", "fake1"},
		"any":                    {[]uint64{kernel.ScanAll}, func(r *scanRig) { r.unit(5, 0, 8) }, nil, "0 0 0", "fake5"},
		"any, a controller":      {[]uint64{kernel.ScanAll}, func(r *scanRig) { r.unit(0, 12, -1) }, []uint64{kernel.ScanAll}, "0 0 -", ""},
	} {
		r := newScanRig(t, tt.luns...)
		if r.scanOnce(); !slices.Equal(r.State().UnscannedLUNs, tt.luns) {
			t.Errorf("%s: after a scan without a disk, %d are to be scanned for", name, r.State().UnscannedLUNs)
		}
		r.scanned()
		tt.late(r)
		if r.scanOnce(); !slices.Equal(r.State().UnscannedLUNs, tt.want) || r.scanned() != tt.scan {
			t.Errorf("%s: %d are to be scanned for, want %d", name, r.State().UnscannedLUNs, tt.want)
		}
		if tt.read != "" && r.written("class/block/"+tt.read+"/device/rescan") != "1" {
			t.Errorf("%s: the size of %s is not read anew", name, tt.read)
		}
	}
}

// A unit that the target has no device for is removed before the scan: the kernel looks at a unit
// once.
func TestScanAbsentUnit(t *testing.T) {
	r := newScanRig(t, 1)
	r.unit(1, 0, -1)
	r.write("class/iscsi_session/session3/device/target2:0:0/2:0:0:1/inquiry", "\x20")
	r.write("class/iscsi_session/session3/device/target2:0:0/2:0:0:1/delete", "")
	r.scanOnce()
	if got := r.written("class/scsi_device/2:0:0:1/device/delete"); got != "1" {
		t.Errorf("deleted by %q", got)
	}
}

// Scans are repeated at pauses that grow up to a limit, while the session is up, and sooner after a
// change of the LUNs. A disk that
// appears after its scan is found without another one, unless a login came between them.
func TestScanIfDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newScanRig(t, 1)
		var pauses []string
		last := time.Now()
		for range 400 {
			if !r.ScanIfDue() {
				t.Fatal("the LUN is not waited for")
			}
			if synctest.Wait(); r.scanned() != "" {
				pauses, last = append(pauses, time.Since(last).String()), time.Now()
			}
			time.Sleep(time.Second)
		}
		if got := strings.Join(pauses, " "); got != "0s 5s 10s 20s 40s 1m0s 1m0s 1m0s 1m0s 1m0s" {
			t.Errorf("scans after %s", got)
		}
		for range 3 { // a target that does not stop
			r.LUNsChanged()
		}
		if synctest.Wait(); r.scanned() == "" {
			t.Error("no scan after a change of the LUNs")
		}
		time.Sleep(r.times.scan - 1)
		if r.LUNsChanged(); r.scans.running {
			t.Error("a scan follows the last one at once")
		}
		time.Sleep(time.Nanosecond)
		r.LUNsChanged()
		if synctest.Wait(); r.scanned() == "" {
			t.Error("no scan after another change of the LUNs")
		}
		r.write("class/iscsi_session/session3/state", "FAILED\n")
		time.Sleep(time.Hour)
		if r.ScanIfDue() {
			t.Error("a session that is down is to be scanned")
		}
		r.write("class/iscsi_session/session3/state", "LOGGED_IN\n")
		r.scans.probed = false // as by a login
		r.unit(1, 0, 8)
		r.ScanIfDue()
		if synctest.Wait(); r.scanned() == "" || r.written("class/block/fake1/device/rescan") != "1" || r.unscanned() {
			t.Error("a disk whose probe may have been interrupted is not probed again")
		}
		r.MarkUnscanned(2)
		r.unit(2, 0, 8)
		if r.ScanIfDue() || r.scanned() != "" || r.unscanned() {
			t.Error("a disk that appeared after its scan is scanned for again")
		}
	})
}
