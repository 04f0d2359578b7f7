package boot

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// openModules finds the modules of the running kernel and loads what is to be
// loaded before all else. An image without any module is right for a kernel
// that has everything built in.
func (m *Machine) openModules(ctx context.Context) error {
	var err error
	if m.release, err = modload.Release(); err != nil {
		return err
	}
	if m.loader, m.index, err = modload.Open("/", m.release, withoutBonds(m.Line), m.Log); err != nil {
		return err
	}
	m.Log.Debugf("modules: %v", m.loader)
	if m.Plan.Policy.Debug.V {
		m.loader.Measure(m.tookModules)
	}
	if len(m.index.Modules()) == 0 {
		m.Log.Warnf("the image holds no modules for kernel %s: all drivers must be built in", m.release)
	}
	m.loadListed(ctx, modload.ParseLine(m.Line).Pre)
	return nil
}

// tookModules adds the processor time of a module up.
func (m *Machine) tookModules(d time.Duration) {
	if total := time.Duration(m.modulesTook.Add(int64(d))); d > 0 {
		m.Log.Debugf("modules took %.3f s of the processor", total.Seconds())
	}
}

// loadListed loads modules that the command line names. One that does not load
// stops nothing, as with dracut: who needs it will say so.
func (m *Machine) loadListed(ctx context.Context, names []string) {
	for _, name := range names {
		if err := m.loader.Load(ctx, name); err != nil {
			m.Log.Warnf("rd.driver.pre= or rd.driver.post=: %v", err)
		}
	}
}

// loadDrivers loads bus and NIC drivers by modalias, those of the devices that
// are there and of each that a loaded driver adds, and what is to be loaded
// after them.
func (m *Machine) loadDrivers(ctx context.Context) error {
	m.coldplug = &coldplug{m: m, devices: modload.NewDevices("/sys", m.index), tried: map[string]bool{}}
	if err := m.coldplug.all(ctx); err != nil {
		return err
	}
	m.loadListed(ctx, modload.ParseLine(m.Line).Post)
	return nil
}

// loadLateDrivers goes on with the devices that a person adds, or that a driver
// finds later, until the network is up.
func (m *Machine) loadLateDrivers(ctx context.Context) error {
	c := m.coldplug
	return m.Uevents.Wait(ctx, func(ev uevent.Event) (bool, error) {
		var err error
		switch {
		case m.networkUp.Load():
			return true, nil
		case ev.Action == "": // the first call, or events were lost
			err = c.all(ctx)
		case ev.Modalias != "" && c.some(ctx, []string{ev.Modalias}):
			err = c.all(ctx)
		}
		return m.networkUp.Load(), err
	})
}

// coldplug loads drivers for devices. tried holds the modaliases and modules
// that had their turn.
type coldplug struct {
	m       *Machine
	devices *modload.Devices
	tried   map[string]bool
}

// all loads what the present devices want, again and again while that brings
// new devices: a bus driver first, then the driver of a NIC on that bus.
func (c *coldplug) all(ctx context.Context) error {
	for {
		aliases, err := c.devices.Next()
		if len(aliases) == 0 || err != nil {
			return err
		}
		c.some(ctx, aliases)
	}
}

// some loads what some modaliases stand for, each module in a goroutine of its
// own, and tells whether there was anything that had not had its turn.
func (c *coldplug) some(ctx context.Context, aliases []string) bool {
	var loading sync.WaitGroup
	fresh := false
	for _, alias := range aliases {
		if c.tried[alias] {
			continue
		}
		c.tried[alias] = true
		for _, mod := range c.m.index.Match(alias) {
			if !modload.Wanted(mod) || c.tried[mod.Name] || mod.Kind() == kmod.KindWatchdog && c.m.noWatchdog() {
				continue
			}
			c.tried[mod.Name] = true
			fresh = true
			loading.Go(func() {
				if err := c.m.loader.Load(ctx, mod.Name); err != nil && ctx.Err() == nil {
					// Another driver may be the one that brings the network
					// up; if none does, that step says so.
					c.m.Log.Warnf("%v", err)
				}
			})
		}
	}
	loading.Wait()
	return fresh
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
	return m.loadAhead(ctx)
}

// loadNeeded loads a module that no boot can do without. sysfs is what the
// kernel shows of it: it may be built in where no index says so.
func (m *Machine) loadNeeded(ctx context.Context, name, sysfs string) error {
	err := m.loader.Load(ctx, name)
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
	err := m.loader.Load(ctx, name)
	var missing *modload.MissingError
	if errors.As(err, &missing) {
		m.Log.Debugf("%v", err)
		return nil
	}
	return err
}
