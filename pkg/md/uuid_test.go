package md_test

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/md"
)

func TestUUID(t *testing.T) {
	const text = "3aaa0122:29827cfa:5331ad66:ca767371"
	want, err := md.ParseUUID(text)
	if err != nil || want.String() != text || want[0] != 0x3a || want[15] != 0x71 {
		t.Fatal(want, err)
	}
	for _, other := range []string{"3AAA0122:29827CFA:5331AD66:CA767371", "3aaa0122-2982-7cfa-5331-ad66ca767371", "3aaa012229827cfa5331ad66ca767371"} {
		if got, err := md.ParseUUID(other); err != nil || got != want {
			t.Errorf("%s: %s %v", other, got, err)
		}
	}
	for _, bad := range []string{"", "3aaa0122", text + "0", strings.Replace(text, "3", "g", 1), strings.Repeat("x", 5000)} {
		if _, err := md.ParseUUID(bad); err == nil || len(err.Error()) > 200 {
			t.Errorf("%s: %v", bad, err)
		}
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
