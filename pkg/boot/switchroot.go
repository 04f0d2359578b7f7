package boot

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// switchRoot leaves the initramfs. It returns only if it cannot.
func (m *Machine) switchRoot(ctx context.Context) error {
	m.Plan.Forget() // so that no secret stays in memory
	if err := m.drivers.Await(ctx); err != nil {
		return err
	}
	if left := m.storage.Calls(); len(left) > 0 {
		m.Log.Warnf("%s: the kernel cannot start the real init before it returns", strings.Join(left, ", "))
	}
	mode := "read-only"
	if m.net.Spec.Root.ReadWrite.V {
		mode = "read-write"
	}
	t := switchroot.Target{
		Dir:         sysroot,
		Init:        m.start.Init,
		Args:        initArgs(os.Args[1:], m.Line),
		Env:         initEnv(os.Environ()),
		MountPoints: m.start.MountPoints,
	}
	return switchroot.Switch(t, func() {
		m.Log.Infof("root %s (%s, %s): starting %s after %.2f s", m.root.Path(), m.root.FSType, mode, m.start.Init, time.Since(m.started).Seconds())
		m.Log.Flush(flushLimit) // execve ends the goroutines that write to terminals
		m.restore()
		_ = ignoreLibcSignals(false) // the real init expects the kernel's defaults
	})
}
