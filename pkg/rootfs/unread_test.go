package rootfs

import (
	"context"
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// A disk of a session could not be read if it has no size, or if its partition table or what is on
// it gave an error that may pass. Other errors, and other disks, do not count.
func TestUnreadIn(t *testing.T) {
	st, _ := withSessions(1)
	disk := ourDisk("sda", 0, 0)
	st.disks = append(st.disks, disk)
	with := func(size int64, err error) *blockdev.Device {
		return &blockdev.Device{Name: "sda", Size: size, Content: &blockdev.Content{Err: err}}
	}
	for _, tt := range []struct {
		name  string
		disk  *blockdev.Device
		found []*blockdev.Device
		err   error
		want  error
	}{
		{"read", disk, []*blockdev.Device{with(1, nil)}, nil, nil},
		{"no size", disk, []*blockdev.Device{with(0, nil)}, nil, reads.ErrNoSize},
		{"nothing on it", disk, nil, nil, nil},
		{"table", disk, []*blockdev.Device{with(1, nil)}, readError(unix.EIO), unix.EIO},
		{"table for good", disk, []*blockdev.Device{with(1, nil)}, readError(unix.EINVAL), nil},
		{"partition", disk, []*blockdev.Device{with(1, nil), with(1, readError(unix.ETIMEDOUT))}, nil, unix.ETIMEDOUT},
		{"partition for good", disk, []*blockdev.Device{with(1, nil), with(1, readError(unix.EINVAL))}, nil, nil},
		{"another machine's", ourDisk("sdb", 0, 1), []*blockdev.Device{with(0, nil)}, nil, nil},
	} {
		got := st.unreadIn(tt.disk, tt.found, tt.err)
		if tt.want == nil && got != nil || tt.want != nil && (len(got) != 1 || got[0].Disk != "sda" || !errors.Is(got[0].Err, tt.want)) {
			t.Errorf("%s: %+v, want %v", tt.name, got, tt.want)
		}
	}
}

// counting are sessions of which the first does not respond.
type counting struct {
	fakeSessions
	asked map[int]int // how often each was asked
}

func (c *counting) RepeatIfLost(_ context.Context, s *session.Session, work func(bool) error) error {
	i := slices.Index(c.list, s)
	c.asked[i]++
	if i == 0 {
		return sequence.AsRetryable(errors.New("session 7 is down"))
	}
	return work(false)
}

// Of a session that does not respond one disk is tried, and all are unclear; so is a disk whose
// session does not exist any more.
func TestInspectSilentSession(t *testing.T) {
	p := paths{t.TempDir(), t.TempDir()}
	st, _ := withSessions(2)
	all := &counting{fakeSessions: fakeSessions{list: someSessions(2)}, asked: map[int]int{}}
	st.Sessions = all
	st.disks = []*blockdev.Device{ourDisk("sda", 0, 0), ourDisk("sdb", 0, 1), ourDisk("sdc", 1, 0), ourDisk("sdd", 5, 0)}
	fakeDisk(t, p.sys, "sdc")
	writeFiles(t, map[string]string{p.dev + "/sdc": string(make([]byte, 8<<20))})
	devices, unclear := st.inspectAll(t.Context(), p)
	if names(devices) != "sdc" || !slices.Equal(unclear, []string{"sda", "sdb", "sdd"}) || all.asked[0] != 1 || all.asked[1] != 1 {
		t.Errorf("devices %q, unclear %q, asked %v", names(devices), unclear, all.asked)
	}
}

// Where the target does not list its LUNs, all are scanned; what that fails with is the error. A
// session that is down is not scanned.
func TestOtherLUNsFail(t *testing.T) {
	refused, down := errors.New("permission denied"), sequence.AsRetryable(errors.New("down"))
	for _, tt := range []struct {
		name  string
		edit  func(*fakeLUNs)
		want  error
		scans bool
	}{
		{"listed", func(*fakeLUNs) {}, nil, false},
		{"not listed", func(f *fakeLUNs) { f.mute = true }, nil, true},
		{"not listed, and not scanned", func(f *fakeLUNs) { f.mute = true; f.sick = map[uint64]error{0: refused} }, refused, false},
		{"down", func(f *fakeLUNs) { f.down = map[int]error{0: down} }, down, false},
	} {
		f := fakeLUNs{luns: [][]uint64{{0, 1, 2}}}
		m := lunMachine(t, &f)
		tt.edit(&f)
		before := len(f.have[0])
		luns, err := m.otherLUNs(t.Context(), 0)
		if !errors.Is(err, tt.want) || (err == nil) != slices.Equal(luns, []uint64{1, 2}) || (len(f.have[0]) > before) != tt.scans {
			t.Errorf("%s: %v, %v, %d LUNs attached", tt.name, luns, err, len(f.have[0]))
		}
	}
}

// A device that cannot be read may hold each of several types in rootfstype=.
func TestSeveralTypesUnread(t *testing.T) {
	st, _ := withSessions(0)
	st.Spec.Root.FSType = bootspec.Value[string]{V: "ext4,xfs", From: "rootfstype="}
	if v, err := st.probe(t.Context(), ourDisk("none", 0, 0)); v.FSType != "ext4,xfs" || err != nil {
		t.Errorf("a disk that cannot be read: %+v, %v", v, err)
	}
}
