package shutdown

import (
	"context"
	"os"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
)

// mapper is device-mapper: *dm.Control.
type mapper interface {
	Info(name string) (dm.Info, error)
	Resume(name string, u dm.Udev, o dm.Option) (dm.Info, error)
	Close() error
}

func openMapper() (mapper, error) {
	c, err := dm.Open(nil)
	if err != nil {
		return nil, err // not a mapper that is a nil *dm.Control
	}
	return c, nil
}

// resumeAll resumes the devices that the agent was changing when it was killed, the lowest first,
// for at most terminateTime: root may stand on them. Without such devices it opens nothing.
func resumeAll(note string, open func() (mapper, error)) {
	b, err := os.ReadFile(note)
	if err != nil {
		return
	}
	_ = Within(terminateTime, func(context.Context) error {
		m, err := open()
		if err != nil {
			return err
		}
		defer func() { _ = m.Close() }()
		for _, name := range strings.Fields(string(b)) {
			if info, err := m.Info(name); err == nil && info.Suspended {
				_, _ = m.Resume(name, dm.Hidden, dm.NoFlush|dm.SkipLockFS) // the unmount tells
			}
		}
		return nil
	})
}
