// Package drivers is the stage of the boot that loads modules: those that parameters name, the
// drivers of devices, the iSCSI initiator, and file systems.
//
// A driver whose probe takes long delays no step: its load goes on during the next ones (loads),
// and is waited for before the real init starts.
package drivers

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/filesystem"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// Config is the input of the stage.
type Config struct {
	Log sequence.Logger
	// Plan is the plan of the boot. It changes only while no step runs, by a retry at the
	// shell.
	Plan *bootspec.Plan
	// Up is set while the network is up: no driver of a NIC is waited for then.
	Up *sequence.Flag
	// Uevents returns the listener of this run of the steps.
	Uevents func() *uevent.Listener
}

// Drivers is the stage. The later ones load their modules by it.
type Drivers struct {
	Config
	release  string // of the running kernel
	loader   *modload.Loader
	index    *kmod.Index
	coldplug *coldplug
	loads    loads        // of the coldplug; go on between steps
	took     atomic.Int64 // processor time, as a time.Duration
}

// New returns a stage that has loaded nothing.
func New(c Config) *Drivers { return &Drivers{Config: c} }

// Open is the step "modules": it finds the modules of the running kernel and loads those of
// rd.driver.pre=. An image without any module suits a kernel that has everything built in.
func (d *Drivers) Open(ctx context.Context) error {
	var err error
	if d.release, err = modload.Release(); err != nil {
		return err
	}
	if err := d.openLoader(); err != nil {
		return err
	}
	d.Log.Debugf("modules: %v", d.loader)
	if len(d.index.Modules()) == 0 {
		d.Log.Warnf("the image holds no modules for kernel %s: all drivers must be built in", d.release)
	}
	d.WithoutMaps(d.Plan)
	d.loadListed(ctx, d.Plan.Modules.Pre)
	return nil
}

// Release is the running kernel's, "" before the step modules.
func (d *Drivers) Release() string { return d.release }

// openLoader makes the loader anew, with the current parameters.
func (d *Drivers) openLoader() (err error) {
	if d.loader, d.index, err = modload.Open("/", d.release, withoutBonds(d.Plan.Modules), d.Log); err != nil {
		return err
	}
	if d.Plan.Policy.Debug.V {
		d.loader.Measure(d.addTime)
	}
	return nil
}

// addTime adds the processor time of a module up.
func (d *Drivers) addTime(one time.Duration) {
	if total := time.Duration(d.took.Add(int64(one))); one > 0 {
		d.Log.Debugf("modules took %.3f s of the processor", total.Seconds())
	}
}

// loadListed loads modules that the command line names. One that cannot be loaded is only logged,
// as by dracut: the step that needs it fails.
func (d *Drivers) loadListed(ctx context.Context, names []string) {
	for _, name := range names {
		if err := d.Load(ctx, name); err != nil {
			d.Log.Warnf("rd.driver.pre= or rd.driver.post=: %v", err)
		}
	}
}

// LoadForDevices is the step "drivers": it loads bus and NIC drivers by modalias, those of the
// present devices and of each that a loaded driver adds, and then those of rd.driver.post=. It does
// not wait for a slow one, nor for any once the network is up.
func (d *Drivers) LoadForDevices(ctx context.Context) error {
	d.coldplug = d.newColdplug()
	d.coldplug.start()
	return d.coldplug.wait(ctx, d.Up.Context().Done())
}

// LoadLate is the step "late-drivers": until the network is up it loads the drivers that the step
// drivers did not wait for, and those of devices that are plugged in or found later.
func (d *Drivers) LoadLate(ctx context.Context) error {
	c := d.coldplug
	if err := c.wait(ctx, nil); err != nil {
		return err
	}
	up, cancel := d.Up.Until(ctx)
	defer cancel()
	err := d.Uevents().Wait(up, func(ev uevent.Event) (bool, error) {
		var err error
		switch {
		case d.Up.IsSet():
			return true, nil
		case ev.Action == "": // the first call, or events were lost
			err = c.loadAll(ctx)
		case ev.Modalias != "":
			if begun := c.loadSome([]string{ev.Modalias}); len(begun) > 0 {
				err = errors.Join(c.await(ctx, begun), c.loadAll(ctx))
			}
		}
		return d.Up.IsSet(), err
	})
	if d.Up.IsSet() && ctx.Err() == nil {
		return nil
	}
	return err
}

// noWatchdog reports whether the drivers of watchdogs are not loaded. Otherwise their drivers are
// loaded like those of NICs: the kernel feeds one that firmware left running until a program opens
// it (drivers/watchdog/watchdog_dev.c: handle_boot_enabled).
func (d *Drivers) noWatchdog() bool {
	w := d.Plan.Policy.Watchdog
	return w.Given() && !w.V
}

// LoadISCSI is the step "iscsi-modules": it loads the initiator, with the checksum module that the
// kernel requests later, and the SCSI disk driver.
func (d *Drivers) LoadISCSI(ctx context.Context) error {
	if err := d.loadNeeded(ctx, "iscsi_tcp", "/sys/class/iscsi_transport/tcp"); err != nil {
		return err
	}
	if err := d.loadNeeded(ctx, "sd_mod", "/sys/bus/scsi/drivers/sd"); err != nil {
		return err
	}
	d.loadPaths(ctx)
	return nil
}

// loadPaths loads what several paths to a LUN need, if there may be some: the access states of the
// LUNs before any is scanned, because the kernel looks for them then (drivers/scsi/scsi_dh.c:
// scsi_dh_add_device). Where the sessions are no paths, maps are made only of disks that turn out
// to be the same LUN, and load their modules themselves. What cannot be loaded is reported where a
// map is made.
func (d *Drivers) loadPaths(ctx context.Context) {
	on := d.Plan.Multipath.On
	if on.Given() && !on.V || !on.V && len(d.Plan.Sessions()) < 2 {
		return
	}
	names := []string{"scsi_dh_alua"}
	if asksForPaths(d.Plan) {
		names = append(names, "dm_mod", "dm_multipath", "dm_service_time")
	}
	for _, name := range names {
		if err := d.Load(ctx, name); err != nil {
			d.Log.Debugf("%v", err)
		}
	}
}

// LoadFilesystems is the step "fs-modules": it loads the file systems that root may have, while the
// network comes up.
func (d *Drivers) LoadFilesystems(ctx context.Context) error {
	for _, t := range filesystem.TypesAhead(d.Plan.Root.FSType, d.index) {
		if err := d.loadIfThere(ctx, "fs-"+t); err != nil {
			return err
		}
	}
	return nil
}

// LoadNetwork loads the drivers of the devices that the plan makes of the NICs.
func (d *Drivers) LoadNetwork(ctx context.Context) error {
	for _, name := range d.Plan.Net.Modules() {
		if err := d.Load(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// Load loads a module for the step of ctx.
func (d *Drivers) Load(ctx context.Context, name string) error {
	defer sequence.Blocking(ctx, "loading module "+name)()
	return d.loader.Load(ctx, name)
}

// loadNeeded loads a module that every boot requires. sysfs is a path that exists if the module is
// there: it may be built in and in no index.
func (d *Drivers) loadNeeded(ctx context.Context, name, sysfs string) error {
	err := d.Load(ctx, name)
	var missing *modload.MissingError
	if errors.As(err, &missing) {
		if _, there := os.Stat(sysfs); there == nil {
			return nil
		}
	}
	return err
}

// loadIfThere loads a module by its name or alias. One that the image does not hold is no error
// here: it may be built in, and if it is not, the step that needs it has a better message.
func (d *Drivers) loadIfThere(ctx context.Context, name string) error {
	err := d.Load(ctx, name)
	var missing *modload.MissingError
	if errors.As(err, &missing) {
		d.Log.Debugf("%v", err)
		return nil
	}
	return err
}
