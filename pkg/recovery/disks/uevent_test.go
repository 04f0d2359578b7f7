package disks

import (
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// A disk that came or went is looked at, and so are all after lost events. Of changes those of
// units count, for their session.
func TestUevents(t *testing.T) {
	const unit = "/devices/platform/host2/session7/target2:0:0/2:0:0:1"
	for _, tt := range []struct {
		event uevent.Event
		wakes bool
		want  []uint32
	}{
		{uevent.Event{}, true, nil},
		{uevent.Event{Action: "add", DevPath: unit + "/block/sda", Subsystem: "block"}, true, nil},
		{uevent.Event{Action: "remove", DevPath: unit, Subsystem: "scsi"}, true, nil},
		{uevent.Event{Action: "change", DevPath: unit, Subsystem: "scsi"}, false, []uint32{7}},
		{uevent.Event{Action: "change", DevPath: unit + "/block/sda", Subsystem: "block"}, false, nil},
		{uevent.Event{Action: "change", DevPath: "/devices/platform/host2", Subsystem: "scsi"}, false, nil},
		{uevent.Event{Action: "change", DevPath: "/devices/platform/host2/sessionx/y", Subsystem: "scsi"}, false, nil},
	} {
		var got []uint32
		k := &Keeper{wake: make(chan struct{}, 1), cfg: Config{LUNsChanged: func(sid uint32) { got = append(got, sid) }}}
		if k.uevent(tt.event); len(k.wake) == 1 != tt.wakes || !slices.Equal(got, tt.want) {
			t.Errorf("%+v: woken %v, changed %d", tt.event, len(k.wake) == 1, got)
		}
	}
}
