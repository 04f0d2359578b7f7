package rootfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/scan"
)

func readError(errno error) error {
	return fmt.Errorf("probe /dev/sda: %w", &os.PathError{Op: "read", Path: "/dev/sda", Err: errno})
}

// Errors of a read may be temporary, those of a mount are not.
func TestTemporary(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{readError(unix.EIO), true},
		{readError(unix.ENOMEDIUM), true},
		{readError(unix.ETIMEDOUT), true},
		{readError(unix.EINVAL), false},
		{fmt.Errorf("mount /dev/sda (ext4): %w", unix.EIO), false},
		{fmt.Errorf("mount /dev/sda (ext4): %w", unix.ENODEV), false},
		{nil, false},
	} {
		if got := reads.Temporary(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}

// Temporary errors are waited for, with one message, for half a minute; others are not.
func TestRootSearch(t *testing.T) {
	const leastOfThree = (250 + 500 + 1000) * time.Millisecond / 2 // pauses, see sequence.Backoff
	unreadErr := &unreadError{[]reads.Unread{{}}, readError(unix.EIO)}
	for _, tt := range []struct {
		name        string
		err         error
		fails       int // tries
		timeout     time.Duration
		least, most time.Duration
		want        error
	}{
		{"passes", unreadErr, 3, 0, leastOfThree, 10 * time.Second, nil},
		{"passes in a search", &notFoundError{absence: absence{unread: []reads.Unread{{Err: reads.ErrNoSize}}}}, 3, 0, leastOfThree, 10 * time.Second, nil},
		{"and without a name", &noInitError{absence: absence{unread: []reads.Unread{{Err: reads.ErrNoSize}}}}, 3, 0, leastOfThree, 10 * time.Second, nil},
		{"lasts", unreadErr, 1000, 0, temporaryLimit, temporaryLimit + 2*sequence.MaxPause, unreadErr},
		{"rd.timeout=", unreadErr, 1000, 5 * time.Second, 5 * time.Second, 5*time.Second + 2*sequence.MaxPause, unreadErr},
		{"does not pass", unix.EINVAL, 1000, 0, 0, 0, unix.EINVAL},
	} {
		synctest.Test(t, func(t *testing.T) {
			m, log := withSessions(0)
			m.Plan.Policy.Timeout.V = tt.timeout
			p := m.newRootSearch("root")
			tries := 0
			err := p.try(t.Context(), func() error {
				if tries++; tries <= tt.fails {
					return tt.err
				}
				return nil
			})
			took := time.Since(m.Started)
			if !errors.Is(err, tt.want) || took < tt.least || took > tt.most {
				t.Errorf("%s: %v after %v", tt.name, err, took)
			}
			if lines := log.Lines(); tt.fails == 3 && (len(lines) != 2 || !strings.HasSuffix(lines[0], "trying again") && !strings.Contains(lines[0], "trying again: ")) {
				t.Errorf("%s: log is %q", tt.name, lines)
			}
		})
	}
}

// The other LUNs are searched again as long as one is not ready, together with the known disks.
func TestEverywhereAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, log := withSessions(1)
		slow := &scan.NotReadyError{Target: "iqn.x:0"}
		f := fakeLUNs{luns: [][]uint64{{0, 1}}, sick: map[uint64]error{1: sequence.AsRetryable(slow)}}
		scanned(t, m, &f)
		find := finding(m, &f, 0, 1)
		find.all = func() error {
			delete(f.sick, 1)
			return &notFoundError{}
		}
		if err := m.newRootSearch("root").everywhere(context.Background(), &notFoundError{}, find); err != nil {
			t.Error(err)
		}
		if got := strings.Join(f.events, ", "); got != "0:1 is sdb, look at 0:1" {
			t.Error(got)
		}
		if n := strings.Count(strings.Join(log.Lines(), "\n")+"\n", "looking at 1 more LUN of iqn.x:0\n"); n != 1 {
			t.Errorf("%d times: %q", n, log.Lines())
		}
	})
}
