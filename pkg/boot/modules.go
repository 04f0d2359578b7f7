package boot

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// moduleState is what the steps that load modules keep.
type moduleState struct {
	release  string // of the running kernel
	loader   *modload.Loader
	index    *kmod.Index
	coldplug *coldplug
	loads    loads        // of the coldplug; go on between steps
	took     atomic.Int64 // processor time, as a time.Duration
}

// openModules finds the modules of the running kernel and loads what is to be
// loaded before all else. An image without any module is right for a kernel
// that has everything built in.
func (m *Machine) openModules(ctx context.Context) error {
	var err error
	if m.modules.release, err = modload.Release(); err != nil {
		return err
	}
	if err := m.openLoader(); err != nil {
		return err
	}
	m.Log.Debugf("modules: %v", m.modules.loader)
	if len(m.modules.index.Modules()) == 0 {
		m.Log.Warnf("the image holds no modules for kernel %s: all drivers must be built in", m.modules.release)
	}
	m.loadListed(ctx, modload.ParseLine(m.moduleWords()).Pre)
	return nil
}

// openLoader makes the loader anew, by what the parameters say now.
func (m *Machine) openLoader() (err error) {
	if m.modules.loader, m.modules.index, err = modload.Open("/", m.modules.release, m.moduleWords(), m.Log); err != nil {
		return err
	}
	if m.Plan.Policy.Debug.V {
		m.modules.loader.Measure(m.tookModules)
	}
	return nil
}

// moduleWords are what the command line, the image's files and the shell say,
// in the order in which later ones win: that of all other parameters.
func (m *Machine) moduleWords() cmdline.Line { return withoutBonds(m.params) }

// changedModules names the steps that must be done again because of what a new
// line says of modules. A module that is not loaded yet gets its new parameters
// without that; drivers that did not load have another try.
func (m *Machine) changedModules(line cmdline.Line) []string {
	if m.modules.index == nil {
		return nil // the step modules is still to come
	}
	before, after := modload.ParseLine(m.params), modload.ParseLine(line)
	for name := range after.Params {
		if _, _, ok := m.modules.index.Lookup(name); !ok { // such as rd, of rd.timeout=
			delete(before.Params, name)
			delete(after.Params, name)
		}
	}
	switch {
	case reflect.DeepEqual(before, after):
		return nil
	case !slices.Equal(before.Pre, after.Pre):
		return []string{"modules"}
	case !slices.Equal(before.Post, after.Post) || !m.net.up.Is():
		return []string{"drivers"}
	}
	return nil
}

// reopenLoader gives the modules that are not loaded yet what new parameters say
// of them; nothing else is at work on the loader but loads, which keep theirs.
func (m *Machine) reopenLoader(before cmdline.Line) {
	if m.modules.loader == nil || reflect.DeepEqual(modload.ParseLine(before), modload.ParseLine(m.params)) {
		return // the step modules makes it, or it is right
	}
	if err := m.openLoader(); err != nil {
		m.Log.Warnf("%v", err)
	}
}

// tookModules adds the processor time of a module up.
func (m *Machine) tookModules(d time.Duration) {
	if total := time.Duration(m.modules.took.Add(int64(d))); d > 0 {
		m.Log.Debugf("modules took %.3f s of the processor", total.Seconds())
	}
}

// loadListed loads modules that the command line names. One that does not load
// stops nothing, as with dracut: who needs it will say so.
func (m *Machine) loadListed(ctx context.Context, names []string) {
	for _, name := range names {
		if err := m.load(ctx, name); err != nil {
			m.Log.Warnf("rd.driver.pre= or rd.driver.post=: %v", err)
		}
	}
}

// loadDrivers loads bus and NIC drivers by modalias, those of the devices that
// are there and of each that a loaded driver adds, and what is to be loaded
// after them. It does not wait for a slow one, nor for any other once the
// network is up.
func (m *Machine) loadDrivers(ctx context.Context) error {
	m.modules.coldplug = m.newColdplug()
	m.modules.coldplug.start()
	return m.modules.coldplug.wait(ctx, m.net.up.Context().Done())
}

// loadLateDrivers goes on with what the step drivers has left, and with the
// devices that a person adds, or that a driver finds later, until the network
// is up.
func (m *Machine) loadLateDrivers(ctx context.Context) error {
	c := m.modules.coldplug
	if err := c.wait(ctx, nil); err != nil {
		return err
	}
	up, cancel := m.net.up.Until(ctx)
	defer cancel()
	err := m.Uevents.Wait(up, func(ev uevent.Event) (bool, error) {
		var err error
		switch {
		case m.net.up.Is():
			return true, nil
		case ev.Action == "": // the first call, or events were lost
			err = c.all(ctx)
		case ev.Modalias != "":
			if begun := c.some([]string{ev.Modalias}); len(begun) > 0 {
				err = errors.Join(c.await(ctx, begun), c.all(ctx))
			}
		}
		return m.net.up.Is(), err
	})
	if m.net.up.Is() && ctx.Err() == nil {
		return nil
	}
	return err
}

// noWatchdog tells that watchdogs are to be left alone. Otherwise their drivers
// are loaded like those of NICs: the kernel feeds one that firmware left
// running until somebody opens it (drivers/watchdog/watchdog_dev.c:
// handle_boot_enabled).
func (m *Machine) noWatchdog() bool {
	w := m.Plan.Policy.Watchdog
	return w.Given() && !w.V
}

// loadISCSI loads the initiator, with the checksum that it asks for later, and
// the SCSI disk driver.
func (m *Machine) loadISCSI(ctx context.Context) error {
	if err := m.loadNeeded(ctx, "iscsi_tcp", "/sys/class/iscsi_transport/tcp"); err != nil {
		return err
	}
	return m.loadNeeded(ctx, "sd_mod", "/sys/bus/scsi/drivers/sd")
}

// loadFilesystems loads what root may need, while the network comes up.
func (m *Machine) loadFilesystems(ctx context.Context) error {
	for _, t := range rootfs.TypesAhead(m.Plan.Root.FSType, m.modules.index) {
		if err := m.loadIfThere(ctx, "fs-"+t); err != nil {
			return err
		}
	}
	return nil
}

// load loads a module for the step of ctx.
func (m *Machine) load(ctx context.Context, name string) error {
	defer sequence.Doing(ctx, "loading module "+name)()
	return m.modules.loader.Load(ctx, name)
}

// loadNeeded loads a module that no boot can do without. sysfs is what the
// kernel shows of it: it may be built in where no index says so.
func (m *Machine) loadNeeded(ctx context.Context, name, sysfs string) error {
	err := m.load(ctx, name)
	var missing *modload.MissingError
	if errors.As(err, &missing) {
		if _, there := os.Stat(sysfs); there == nil {
			return nil
		}
	}
	return err
}

// loadIfThere loads a module, or what an alias stands for. One that the image
// does not hold is no error yet: it may be built in, and if it is not, the step
// that needs it has the better words.
func (m *Machine) loadIfThere(ctx context.Context, name string) error {
	err := m.load(ctx, name)
	var missing *modload.MissingError
	if errors.As(err, &missing) {
		m.Log.Debugf("%v", err)
		return nil
	}
	return err
}
