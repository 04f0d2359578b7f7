package status

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/md/array"
)

// The places of disks of two sessions, of a local one, and of what stands on them.
const (
	placeA = "devices/platform/host1/session1/target1:0:0/1:0:0:1/block/sda"
	placeB = "devices/platform/host2/session2/target2:0:0/2:0:0:1/block/sdb"
	above  = "devices/virtual/block/"
)

// mirror is a system whose root is a volume on a mirror of the disks of two sessions, with more
// attributes of its array.
func mirror(t *testing.T, attributes map[string]string) System {
	t.Helper()
	files := map[string]string{
		placeA + "/dev": "8:0\n", placeA + "/sda2/partition": "2\n", placeA + "/sda2/dev": "8:2\n", placeB + "/dev": "8:16\n",
		above + "md127/md/level": "raid1\n", above + "md127/md/metadata_version": "1.2\n", above + "md127/md/raid_disks": "2\n", above + "md127/md/array_state": "clean\n",
		above + "md127/md/degraded": "0\n", above + "md127/md/sync_action": "idle\n", above + "md127/md/sync_completed": "none\n", above + "md127/size": "2048\n",
		above + "md127/md/dev-sda2/slot": "0\n", above + "md127/md/dev-sda2/state": "in_sync\n",
		above + "md127/md/dev-sdb/slot": "1\n", above + "md127/md/dev-sdb/state": "in_sync\n",
		above + "dm-0/dm/name": "vg-root\n", above + "dm-0/slaves/md127/x": "", above + "md127/holders/dm-0/x": "",
		above + "md1/md/level": "raid0\n", above + "md1/md/metadata_version": "1.2\n", above + "md1/md/raid_disks": "1\n", above + "md1/md/array_state": "active\n", above + "md1/size": "8\n",
		"class/iscsi_session/session1/state": "LOGGED_IN\n", "class/iscsi_session/session2/state": "LOGGED_IN\n", "class/block/x": "", "dev/block/x": "",
	}
	for name, text := range attributes {
		files[above+"md127/"+name] = text
	}
	all := map[string]string{"proc/self/mountinfo": "1 0 254:0 / / rw - ext4 /dev/mapper/vg-root rw\n"}
	for name, text := range files {
		all["sys/"+name] = text
	}
	s := system(t, all)
	for at, to := range map[string]string{
		"block": above, "class/block/sda": placeA, "class/block/sda2": placeA + "/sda2", "class/block/sdb": placeB, "class/block/md127": above + "md127", "class/block/md1": above + "md1", "class/block/dm-0": above + "dm-0",
		"dev/block/254:0": above + "dm-0", above + "md127/slaves/sda2": placeA + "/sda2", above + "md127/slaves/sdb": placeB,
		above + "md127/md/dev-sda2/block": placeA + "/sda2", above + "md127/md/dev-sdb/block": placeB,
	} {
		at = filepath.Join(s.Sys, at)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.Symlink(filepath.Join(s.Sys, to), at)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestArrays(t *testing.T) {
	s := mirror(t, nil)
	const whole = "md127: raid1, 2 of 2 members in sync, clean\n  slot 0     sda2 on session 1, in sync\n  slot 1     sdb on session 2, in sync\n"
	if diff := cmp.Diff("md1: raid0, 1 of 1 members in sync, active\n  slot 0     missing\n"+whole, Arrays(s.Sys)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	text, wrong := Report(s)
	if !strings.Contains(text, "root: vg-root on md127 on (sda2, sdb)\n"+whole) || slices.ContainsFunc(wrong, func(w string) bool { return strings.Contains(w, "array") }) {
		t.Errorf("%s, wrong %q", text, wrong)
	}
	if strings.Contains(text, "md1:") {
		t.Errorf("an array that is not on iSCSI is in %s", text)
	}
}

// A member of a session that is down, then without it, then while it is rebuilt.
func TestDegradedArrays(t *testing.T) {
	s := mirror(t, map[string]string{"md/degraded": "1\n", "md/array_state": "active-idle\n", "md/dev-sdb/state": "faulty\n", "md/dev-sdb/slot": "none\n"})
	if err := os.WriteFile(filepath.Join(s.Sys, "class/iscsi_session/session2/state"), []byte("FAILED\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	text, wrong := Report(s)
	const want = "md127: raid1, 1 of 2 members in sync, active\n  slot 0     sda2 on session 1, in sync\n  slot 1     missing\n  no slot    sdb on session 2, which is down, failed\n"
	if !strings.Contains(text, want) || !slices.Contains(wrong, "array md127 is degraded") {
		t.Errorf("%s, wrong %q", text, wrong)
	}
	s = mirror(t, map[string]string{
		"md/degraded": "1\n", "md/array_state": "active\n", "md/dev-sdb/state": "spare\n", "md/sync_action": "recover\n", "md/sync_completed": "256 / 2048\n", "md/sync_speed": "1024\n",
	})
	const rebuilt = "md127: raid1, 1 of 2 members in sync, active, recovery 12.5 %, 1024 KiB/s\n  slot 0     sda2 on session 1, in sync\n  slot 1     sdb on session 2, is being rebuilt\n"
	if text := Sessions(s.Sys); !strings.HasSuffix(text, rebuilt) {
		t.Errorf("%s", text)
	}
}

func TestArrayText(t *testing.T) {
	for want, s := range map[string]array.State{
		"raid5, 3 of 3 members in sync, read-only until the first write":        {Level: "raid5", Disks: 3, ArrayState: "read-auto", SyncAction: "idle"},
		"raid6, 3 of 4 members in sync, active, resync":                         {Level: "raid6", Disks: 4, Degraded: 1, ArrayState: "write-pending", SyncAction: "resync"},
		"raid0, 2 of 2 members in sync, broken: members are lost that it needs": {Level: "raid0", Disks: 2, ArrayState: "broken"},
		"raid10, 4 of 4 members in sync, read-only, check 50.0 %":               {Level: "raid10", Disks: 4, ArrayState: "readonly", SyncAction: "check", Done: 1, Total: 2},
	} {
		if got := arrayText(&s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := memberText(t.TempDir(), array.MemberState{Slot: -1, Flags: []string{"faulty", "blocked"}}); got != "a disk that is gone, failed" {
		t.Errorf("%q", got)
	}
	if got := memberText(t.TempDir(), array.MemberState{Device: "sdz", Slot: -1, Flags: []string{"spare"}}); got != "sdz, spare" {
		t.Errorf("%q", got)
	}
}

// What root stands on is shown if it is more than a disk.
func TestRootStack(t *testing.T) {
	s := mirror(t, nil)
	for number, want := range map[string]string{"254:0": "vg-root on md127 on (sda2, sdb)", "8:2": "", "0:25": ""} {
		if err := os.WriteFile(filepath.Join(s.Proc, "self/mountinfo"), []byte("1 0 "+number+" / / rw - ext4 x rw\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if number == "8:2" {
			if err := os.Symlink(filepath.Join(s.Sys, placeA, "sda2"), filepath.Join(s.Sys, "dev/block/8:2")); err != nil {
				t.Fatal(err)
			}
		}
		if got := rootStack(s); got != want {
			t.Errorf("%s: %q, want %q", number, got, want)
		}
	}
}
