package maps

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

// writeMBR writes a table of partitions, each as start, size and kind, into a device.
func writeMBR(t *testing.T, m *Maps, d *blockdev.Device, entries ...[3]uint32) {
	t.Helper()
	b := make([]byte, d.Size)
	for i, e := range entries {
		at := b[446+16*i:]
		at[4] = byte(e[2])
		binary.LittleEndian.PutUint32(at[8:], e[0])
		binary.LittleEndian.PutUint32(at[12:], e[1])
	}
	b[510], b[511] = 0x55, 0xaa
	if err := os.WriteFile(filepath.Join(m.Dev, d.Name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The partitions of a map are linear maps with kpartx's names. Those that are there are taken,
// those of another table are made anew, and the map's own size limits them.
func TestPartitions(t *testing.T) {
	m, f := newMaps(t)
	whole := made(t, m, "sda")
	l := &Partitions{Maps: m, Temporary: func(error) bool { return true }, Open: func(path string) (*blockdev.File, error) { return blockdev.Open(t.Context(), path) }}
	writeMBR(t, m, whole, [3]uint32{2048, 2048, 0x83}, [3]uint32{4096, 99999, 0x83}, [3]uint32{50000, 8, 0x83})
	find := func() blockdev.Assembly {
		t.Helper()
		found, err := l.Find(t.Context(), []*blockdev.Device{{Name: "sdz"}, whole})
		if err != nil || len(found) != 1 || found[0].Name != wwid {
			t.Fatal(found, err)
		}
		return found[0]
	}
	for range 2 {
		got, err := l.Activate(t.Context(), find())
		if err != nil || len(got) != 2 {
			t.Fatal(got, err)
		}
		for i, want := range []string{"0 2048 linear 253:0 2048\n", "0 36864 linear 253:0 4096\n"} {
			name := fmt.Sprintf("%s-part%d", wwid, i+1)
			d := f.devices[name]
			if d == nil || d.table.String() != want || d.info.UUID != fmt.Sprintf("part%d-mpath-%s", i+1, wwid) || got[i].Map != name || got[i].Partition.Number != i+1 || !got[i].On("dm-0") || m.WholeOf(got[i].Name) != "dm-0" {
				t.Errorf("%s: %+v, %+v", name, d, got[i])
			}
			if _, err := os.Readlink(filepath.Join(m.Dev, "mapper", name)); err != nil {
				t.Error(err)
			}
		}
	}
	if parts, err := blockdev.Partitions(f.sys, whole); err != nil || len(parts) != 2 || parts[1].Partition.Number != 2 {
		t.Error(parts, err)
	}
	writeMBR(t, m, whole, [3]uint32{2048, 1024, 0x83})
	a := find()
	if got, err := l.Activate(t.Context(), a); err != nil || len(got) != 1 || got[0].Size != 512<<10 {
		t.Error(got, err)
	}
	if err := l.Deactivate(t.Context(), a); err != nil || f.devices[wwid+"-part1"] != nil || f.devices[wwid] == nil {
		t.Error(err, f.log)
	}
	if slices.Contains(f.log, "remove "+wwid) || m.WholeOf("dm-1") != "" {
		t.Error(f.log, m.WholeOf("dm-1"))
	}
}

// The table at the start of a member of an array of version 1.0 is that of the array: the map has
// no partitions, which would keep the array from starting.
func TestPartitionsOfMember(t *testing.T) {
	m, f := newMaps(t)
	whole := *made(t, m, "sda")
	l := &Partitions{Maps: m, Temporary: func(error) bool { return false }, Open: func(path string) (*blockdev.File, error) { return blockdev.Open(t.Context(), path) }}
	lines, err := os.ReadFile("../../blockdev/testdata/md10.sparse")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Split(string(lines), "\n")
	if _, err := fmt.Sscanf(text[0], "size %d", &whole.Size); err != nil {
		t.Fatal(err)
	}
	writeMBR(t, m, &whole, [3]uint32{2048, 2048, 0x83})
	b, err := os.ReadFile(filepath.Join(m.Dev, whole.Name))
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []bool{true, false} {
		for _, line := range text[1:] {
			var at int
			var piece []byte
			if _, err := fmt.Sscanf(line, "%x %x", &at, &piece); err == nil {
				clear(b[at : at+len(piece)])
				if member {
					copy(b[at:], piece)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(m.Dev, whole.Name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		found, _ := l.Find(t.Context(), []*blockdev.Device{&whole})
		got, err := l.Activate(t.Context(), found[0])
		if err != nil || (len(got) == 0) != member || (f.devices[wwid+"-part1"] == nil) != member {
			t.Errorf("member %v: %v, %v", member, got, err)
		}
	}
}

// A map that is in use as a whole has no partitions.
func TestPartitionsOfWhole(t *testing.T) {
	m, f := newMaps(t)
	whole := made(t, m, "sda")
	l := &Partitions{Maps: m, Temporary: func(error) bool { return false }, Open: func(path string) (*blockdev.File, error) { return blockdev.Open(t.Context(), path) }}
	writeMBR(t, m, whole, [3]uint32{2048, 2048, 0x83})
	f.refuse = fmt.Errorf("activate: %w", unix.EBUSY)
	found, _ := l.Find(t.Context(), []*blockdev.Device{whole})
	if got, err := l.Activate(t.Context(), found[0]); err != nil || len(got) > 0 {
		t.Error(got, err)
	}
	f.refuse = unix.ENOMEM
	if _, err := l.Activate(t.Context(), found[0]); !errors.Is(err, unix.ENOMEM) {
		t.Error(err)
	}
}

// A map without a table has no partitions; one that cannot be read now is noted.
func TestPartitionsNone(t *testing.T) {
	m, _ := newMaps(t)
	whole := made(t, m, "sda")
	temporary := true
	l := &Partitions{Maps: m, Temporary: func(error) bool { return temporary }, Open: func(path string) (*blockdev.File, error) { return blockdev.Open(context.Background(), path) }}
	activate := func() error {
		found, _ := l.Find(t.Context(), []*blockdev.Device{whole})
		got, err := l.Activate(t.Context(), found[0])
		if len(got) > 0 {
			t.Error(got)
		}
		return err
	}
	if err := activate(); err != nil || len(l.Unread) != 1 || l.Unread[0].Device != whole {
		t.Error(err, l.Unread)
	}
	temporary = false
	if err := activate(); !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), wwid) {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(m.Dev, whole.Name), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := activate(); err != nil {
		t.Error(err)
	}
}
