package multipath

import "testing"

// As kpartx and multipath-tools name them.
func TestNames(t *testing.T) {
	m := Map{ID: "36001405f"}
	if m.Name() != "36001405f" || m.UUID() != "mpath-36001405f" || PartitionName(m.Name(), 2) != "36001405f-part2" || PartitionUUID(m.ID, 2) != "part2-mpath-36001405f" {
		t.Errorf("%s, %s, %s, %s", m.Name(), m.UUID(), PartitionName(m.Name(), 2), PartitionUUID(m.ID, 2))
	}
	// The kernel's dm_ioctl has 128 bytes for a name, and 129 for a uuid, with a NUL.
	if n := len(PartitionUUID("", 128)) + MaxID; n != 128 {
		t.Errorf("the longest ID gives uuids of %d bytes", n)
	}
}

func TestParseUUID(t *testing.T) {
	for _, tt := range []struct {
		uuid string
		id   ID
		part int
	}{
		{"mpath-36001405f", "36001405f", 0},
		{"part2-mpath-36001405f", "36001405f", 2},
		{"part128-mpath-1IET_0001-part2", "1IET_0001-part2", 128},
		{"mpath-mpath-x", "mpath-x", 0},
		{"mpath-", "", 0},
		{"part2-mpath-", "", 0},
		{"part0-mpath-3", "", 0},
		{"part-1-mpath-3", "", 0},
		{"part02-mpath-3", "", 0},
		{"part+2-mpath-3", "", 0},
		{"part99999999999999999999-mpath-3", "", 0},
		{"part2-part2-mpath-3", "", 0},
		{"part2-LVM-x", "", 0},
		{"part2", "", 0},
		{"LVM-x", "", 0},
		{"", "", 0},
	} {
		id, part, ok := ParseUUID(tt.uuid)
		if id != tt.id || part != tt.part || ok != (tt.id != "") {
			t.Errorf("%q: %q, %d, %v", tt.uuid, id, part, ok)
		}
	}
}
