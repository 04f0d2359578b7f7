package boot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/mounts"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/shutdown"
)

// prepare sets a new plan and undoes the steps that are repeated, the last one first.
func (m *Machine) prepare(line cmdline.Line, plan bootspec.Plan, again []string) []string {
	old := m.Plan
	m.params, m.Plan = line, plan
	m.drivers.Reopen(old.Modules)
	redone := func(step string) bool { return slices.Contains(again, step) && m.progress.Done(step) }
	if redone("mount") {
		m.unmountRoot()
	}
	others := !old.SameTargets(plan)
	if others || redone("login") {
		m.storage.DeactivateUnused(context.Background())
	}
	if others {
		m.storage.RemoveMaps(context.Background())
	}
	m.sessions.End(redone("login"), others)
	if others {
		m.storage.Forget()
	}
	m.resolveAgain(old, redone("network"))
	if m.progress.Done("mount") && !redone("mount") {
		return nil
	}
	if m.adopted = m.adoptRoot(); m.adopted {
		return []string{"root"}
	}
	return nil
}

// resolveAgain makes the Spec anew if the network is up and stays.
func (m *Machine) resolveAgain(old bootspec.Plan, again bool) {
	if again || !reflect.DeepEqual(old.Net, m.Plan.Net) {
		m.netup.End()
		m.net.Facts = bootspec.NetFacts{}
	}
	if m.net.Facts.Interface == "" {
		return // the step network makes it
	}
	spec, _, err := m.Plan.Resolve(m.net.Facts)
	if err != nil {
		m.Log.Warnf("%v", err)
		return
	}
	m.net.Spec = spec
}

// unmountLimit is for how long unmounting root may take. Unmounting a root whose session is down
// waits for the session.
const unmountLimit = 5 * time.Second

func (m *Machine) unmountRoot() {
	for _, dir := range []string{sysroot + "/usr", sysroot} {
		err := shutdown.Within(unmountLimit, func(context.Context) error { return unix.Unmount(dir, 0) })
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			m.Log.Warnf("%v", &os.PathError{Op: "unmount", Path: dir, Err: err})
		}
	}
}

// adoptRoot uses the root that was mounted by hand.
func (m *Machine) adoptRoot() bool {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return false
	}
	on := mounts.On(string(table), sysroot)
	node, err := filepath.EvalSymlinks(on.Source) // a volume's name is a link
	if err != nil {
		node = on.Source
	}
	name, ok := strings.CutPrefix(node, "/dev/")
	if !ok {
		return false
	}
	m.root = rootfs.MountedByHand(name, on.Type)
	m.Log.Infof("root is %s (%s), mounted by hand", on.Source, on.Type)
	return true
}
