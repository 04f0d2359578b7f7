package md_test

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/md"
)

func TestUUID(t *testing.T) {
	u := md.UUID{0x3a, 0xaa, 0x01, 0x22, 0x29, 0x82, 0x7c, 0xfa, 0x53, 0x31, 0xad, 0x66, 0xca, 0x76, 0x73, 0x71}
	if got := u.String(); got != "3aaa0122:29827cfa:5331ad66:ca767371" {
		t.Error(got)
	}
}

func TestLevel(t *testing.T) {
	for l, want := range map[md.Level]struct {
		name, module string
		redundant    bool
	}{
		md.Linear: {"linear", "linear", false}, md.RAID0: {"raid0", "raid0", false}, md.RAID1: {"raid1", "raid1", true},
		md.RAID4: {"raid4", "raid456", true}, md.RAID5: {"raid5", "raid456", true}, md.RAID6: {"raid6", "raid456", true},
		md.RAID10: {"raid10", "raid10", true},
	} {
		if l.String() != want.name || l.Module() != want.module || l.Redundant() != want.redundant {
			t.Error(int(l), l.String(), l.Module(), l.Redundant())
		}
	}
}
