package calls

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// up are sessions that are up.
type up struct{}

func (up) RepeatIfLost(_ context.Context, _ *session.Session, work func(bool) error) error {
	return work(true)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A system call that waits for a target delays a step for a limited time, and not beyond the end of
// the step.
func TestAsk(t *testing.T) {
	cause := errors.New("no such LUN")
	for _, tt := range []struct {
		name string
		took time.Duration // by the system call
		err  error
		stop time.Duration // the step's end
		want time.Duration
		text string // of the error
	}{
		{"answers", time.Second, nil, time.Hour, time.Second, ""},
		{"refuses", time.Second, cause, time.Hour, time.Second, "no such LUN"},
		{"late", 5500 * time.Millisecond, nil, time.Hour, 5500 * time.Millisecond, ""},
		{"silent", time.Hour, nil, 2 * time.Hour, 5*time.Second + slack, "target iqn.x:0 does not answer for 5 s"},
		{"step ends", time.Hour, nil, time.Second, time.Second, "context deadline exceeded"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var c Set
			ctx, cancel := context.WithTimeout(t.Context(), tt.stop)
			defer cancel()
			began := time.Now()
			got, err := Ask(ctx, &c, up{}, &session.Session{Record: session.Record{Target: "iqn.x:0"}}, 5*time.Second, "a call", func(ctx context.Context) ([]uint64, error) {
				time.Sleep(tt.took)
				if late := time.Since(began) >= min(tt.stop, 5*time.Second); late != (ctx.Err() != nil) {
					t.Errorf("%s: after %v its context has the error %v", tt.name, tt.took, ctx.Err())
				}
				return []uint64{7}, tt.err
			})
			if took := time.Since(began); took != tt.want || errorText(err) != tt.text || err == nil && !slices.Equal(got, []uint64{7}) {
				t.Errorf("%s: %v, %v after %v", tt.name, got, err, took)
			}
			if sequence.Retryable(err) != strings.Contains(tt.text, "answer") {
				t.Errorf("%s: %v is temporary: %v", tt.name, err, sequence.Retryable(err))
			}
			if left := len(c.List()); (left > 0) != (tt.took > tt.want) {
				t.Errorf("%s: %d calls are under way", tt.name, left)
			}
			time.Sleep(tt.took) // until the goroutine ends
			synctest.Wait()
			if left := c.List(); len(left) > 0 {
				t.Errorf("%s: left are %q", tt.name, left)
			}
		})
	}
}

// A panic of the work becomes its error.
func TestAskPanic(t *testing.T) {
	var c Set
	_, err := Ask(t.Context(), &c, up{}, &session.Session{}, time.Hour, "a call", func(context.Context) (int, error) { panic("torn") })
	var bug *contain.PanicError
	if !errors.As(err, &bug) {
		t.Errorf("error %v", err)
	}
}
