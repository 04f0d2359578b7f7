package recovery

import (
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// An outage does not begin before the one that another program's login has ended.
func TestOutagesOfIscsidDoNotOverlap(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.listen(99)
		r.set(func(f *fake) { f.silence = 45 * time.Second })
		time.Sleep(59 * time.Second)
		for range 2 {
			r.set(func(f *fake) { f.up = false })
			r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.PingTimedOut}
			time.Sleep(time.Second)
			r.set(func(f *fake) { f.up = true })
			r.events <- loginResponse()
			time.Sleep(10 * time.Second)
		}
		if !r.has("up again after 46.0 s: iscsid logged in", "up again after 11.0 s: iscsid logged in") {
			t.Error("the log tells other lengths")
		}
	})
}
