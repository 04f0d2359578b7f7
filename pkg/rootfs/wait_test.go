package rootfs

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// A root that does not exist is waited for as long as the command line sets, then each fallback is
// tried, and the error names the last one.
func TestFindRootWaits(t *testing.T) {
	events := listen(t)
	tests := []struct {
		line        string
		least, most time.Duration
		want        string
	}{
		{"root=UUID=1 rootwait=0", 0, 500 * time.Millisecond, "root UUID=1: no such device on the disks of the iSCSI sessions"},
		{"root=UUID=1 rootwait=1", time.Second, 3 * time.Second, "root UUID=1: no such device on the disks of the iSCSI sessions"},
		{"root=UUID=1 rootwait=0 rootdelay=1", time.Second, 3 * time.Second, "root UUID=1: no such device on the disks of the iSCSI sessions"},
		{"root=UUID=1 rootwait=0 rootfallback=LABEL=a rootfallback=/dev/sdb2", 0, 500 * time.Millisecond, "root /dev/sdb2: no such device on the disks of the iSCSI sessions"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			t.Parallel() // they wait
			plan, err := bootspec.Parse(cmdline.Parse(tt.line))
			if err != nil {
				t.Fatal(err)
			}
			m := rootAt(plan.Root, 0)
			m.Uevents = events
			began := time.Now()
			_, err = m.Find(t.Context())
			var missing *notFoundError
			if took := time.Since(began); !errors.As(err, &missing) || err.Error() != tt.want || took < tt.least || took > tt.most {
				t.Errorf("%s: %v after %v", tt.line, err, took)
			}
			if got := sequence.Hint(err); got != "correct root=: there is no disk" {
				t.Errorf("%s: hint is %q", tt.line, got)
			}
		})
	}
	// Without end, until the boot itself ends.
	m, _ := withSessions(0)
	m.Uevents = events
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	f := m.named(ctx, bootspec.Device{By: bootspec.ByUUID, Text: "1"})
	if err := m.waitRoot(ctx, f, bootspec.Forever, errors.New("not there")); err == nil || ctx.Err() == nil {
		t.Errorf("got %v", err)
	}
}

// The events of a disk come before its target is up: root is looked for again when it is, and not
// only at the next event.
func TestTryRootLooksAgainWhenATargetComesUp(t *testing.T) {
	m, _ := withSessions(0)
	m.Uevents = listen(t)
	changed := make(chan struct{})
	go close(changed)
	var missing *notFoundError
	if err := m.tryRoot(t.Context(), m.named(t.Context(), bootspec.Device{By: bootspec.ByUUID, Text: "1"}), time.Hour, changed); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}
