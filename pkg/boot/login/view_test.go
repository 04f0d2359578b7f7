package login

import (
	"errors"
	"testing"
)

// downPath is a session whose recovery time-out the kernel may refuse.
type downPath struct {
	err error
	due bool
}

func (p downPath) UseAsPath() error         { return p.err }
func (p downPath) Recovery() (uint32, bool) { return 0, p.due }

// A session has the timers of a path when the kernel has them.
func TestUseAsPath(t *testing.T) {
	broken := errors.New("no such session")
	for _, tt := range []struct {
		session downPath
		want    error
	}{{downPath{}, nil}, {downPath{due: true}, errTimersLater}, {downPath{err: broken, due: true}, broken}} {
		if err := useAsPath(tt.session); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v", tt.session, err)
		}
	}
}
