package switchroot

import "testing"

// Options are kept, and none is doubled; a read-write mount needs the replay.
func TestWithoutReplay(t *testing.T) {
	for _, tt := range []struct {
		fstype, options string
		readWrite       bool
		want            string // "": as it is
	}{
		{"ext4", "", false, "noload"},
		{"ext3", "noatime,data=ordered", false, "noatime,data=ordered,noload"},
		{"ext4", "noload", false, ""},
		{"ext4", "noatime,norecovery", false, ""},
		{"ext4", "", true, ""},
		{"ext4", "ro", true, "ro,noload"},
		{"ext4", "rw", false, ""},
		{"xfs", "", false, "norecovery"},
		{"xfs", "norecovery", false, ""},
		{"btrfs", "subvol=@", false, "subvol=@,rescue=nologreplay"},
		{"btrfs", "rescue=usebackuproot", false, "rescue=usebackuproot,rescue=nologreplay"},
		{"btrfs", "rescue=usebackuproot:nologreplay", false, ""},
		{"btrfs", "rescue=all", false, ""},
		{"btrfs", "nologreplay", false, ""},
		{"f2fs", "", false, "norecovery"},
		{"f2fs", "disable_roll_forward", false, ""},
		{"ext2", "", false, ""},
		{"squashfs", "", false, ""},
	} {
		got, ok := MountConfig{FSType: tt.fstype, Options: tt.options, ReadWrite: tt.readWrite}.WithoutReplay()
		if ok != (tt.want != "") || ok && got.Options != tt.want || !ok && got.Options != tt.options {
			t.Errorf("%s %q rw=%v: %q, %v, want %q", tt.fstype, tt.options, tt.readWrite, got.Options, ok, tt.want)
		}
	}
}
