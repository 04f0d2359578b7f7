package drivers

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
)

// coldplug loads drivers for devices: those of present devices in a goroutine of its own, begun by
// start, and those of later devices in that of the step late-drivers.
type coldplug struct {
	next  func() ([]string, error)                     // modaliases that are new
	match func(alias string) []kmod.Module             // what to load for one
	load  func(ctx context.Context, name string) error // with its dependencies
	post  []string                                     // loaded after all others
	log   sequence.Logger
	loads *loads

	ctx     context.Context // of start's goroutine
	stop    context.CancelFunc
	settled chan struct{} // closed at its end
	err     error         // of it

	// tried holds the modaliases and modules whose load was begun.
	tried map[string]bool
}

// newColdplug makes one for the machine's devices. That of an earlier attempt finishes its loads,
// and begins no new ones.
func (d *Drivers) newColdplug() *coldplug {
	if d.coldplug != nil {
		d.coldplug.stop()
	}
	index, watchdogs := d.index, !d.noWatchdog()
	c := &coldplug{
		next: modload.NewDevices("/sys", index).Next,
		match: func(alias string) (out []kmod.Module) {
			for _, mod := range index.Match(alias) {
				if modload.Wanted(mod) && (watchdogs || mod.Kind() != kmod.KindWatchdog) {
					out = append(out, mod)
				}
			}
			return out
		},
		load:    d.loader.Load,
		post:    d.Plan.Modules.Post,
		log:     d.Log,
		loads:   &d.loads,
		settled: make(chan struct{}),
		tried:   map[string]bool{},
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// start begins with the present devices. Its goroutine ends when the load of every driver for them
// was begun, or by c.stop; c.settled is closed then.
func (c *coldplug) start() {
	contain.Go("coldplug", func() {
		defer close(c.settled)
		c.err = contain.Call("coldplug", func() error {
			err := c.loadAll(c.ctx)
			for _, name := range c.post {
				if err == nil {
					err = c.await(c.ctx, []*load{c.begin(name, "rd.driver.post=: ")})
				}
			}
			if names := c.loads.names(); len(names) > 0 && err == nil {
				c.log.Infof("still loading: %s", strings.Join(names, ", "))
			}
			return err
		})
	}, nil)
}

// loadAll loads the drivers of the present devices, and repeats that while new devices appear: a
// bus driver first, then the driver of a NIC on that bus.
func (c *coldplug) loadAll(ctx context.Context) error {
	for {
		aliases, err := c.next()
		if len(aliases) == 0 || err != nil {
			return err
		}
		if err := c.await(ctx, c.loadSome(aliases)); err != nil {
			return err
		}
	}
}

// loadSome begins to load the drivers of some modaliases that were not tried yet. The drivers of
// one device are loaded one after the other, in the order of modules.alias, as libkmod does for
// udev: several can bind to the device, as cdc_subset does to that of cdc_ether, and the first is
// the right one. Those of different devices are loaded concurrently.
func (c *coldplug) loadSome(aliases []string) []*load {
	var begun []*load
	chains := map[string][]*load{}
	for _, alias := range aliases {
		if c.tried[alias] {
			continue
		}
		c.tried[alias] = true
		device := deviceOf(alias)
		for _, mod := range c.match(alias) {
			one := c.loads.find(mod.Name)
			if !c.tried[mod.Name] {
				c.tried[mod.Name] = true
				one = c.begin(mod.Name, "", chains[device]...)
				begun = append(begun, one)
			}
			if one != nil {
				chains[device] = append(chains[device], one)
			}
		}
	}
	return begun
}

// deviceOf returns what the modaliases of all interfaces of one USB device have in common, which
// its drivers share (drivers/usb/core/driver.c: usb_uevent; message.c: usb_if_uevent), and any
// other modalias as it is.
func deviceOf(alias string) string {
	if strings.HasPrefix(alias, "usb:") {
		alias, _, _ = strings.Cut(alias, "ic") // its numbers are in upper case
	}
	return alias
}

// deviceLimit is for how long a driver waits for the others of its device. A probe that takes
// longer keeps the order too, because it holds the device's lock (drivers/base/dd.c:
// __driver_attach). A load that never ends stops no other.
const deviceLimit = 30 * time.Second

// begin begins to load a module once the loads in after have ended, or deviceLimit is over. A
// module that cannot be loaded stops nothing: another driver may be the one that brings the network
// up; if none does, that step fails.
func (c *coldplug) begin(name, from string, after ...*load) *load {
	after = slices.Clone(after)
	f := func() error {
		if err := c.after(after); err != nil {
			return err
		}
		return c.load(c.ctx, name)
	}
	return c.loads.begin(name, f, func(err error) {
		if c.ctx.Err() == nil {
			c.log.Warnf("%s%v", from, err)
		}
	})
}

// after returns when the loads have ended, or deviceLimit is over. It fails only with the context
// of c.
func (c *coldplug) after(others []*load) error {
	limit := time.NewTimer(deviceLimit)
	defer limit.Stop()
	for _, other := range others {
		select {
		case <-other.done:
		case <-limit.C:
			return c.ctx.Err()
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	return c.ctx.Err()
}

// busLimit is for how long the drivers of present devices are waited for before those of new
// devices are loaded. It keeps the order in which interfaces appear, and is longer than most probes
// take.
const busLimit = 3 * time.Second

// await returns when all loads of begun have ended, or busLimit is over. It fails only with ctx.
func (c *coldplug) await(ctx context.Context, begun []*load) error {
	if len(begun) == 0 {
		return ctx.Err()
	}
	limit := time.NewTimer(busLimit)
	defer limit.Stop()
	for _, one := range begun {
		select {
		case <-one.done:
		case <-limit.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// wait returns when the goroutine of start has ended, with its error, or when the network is up. If
// ctx ends, it ends the goroutine.
func (c *coldplug) wait(ctx context.Context, up <-chan struct{}) error {
	select {
	case <-c.settled:
		return c.err
	case <-up:
		return nil
	case <-ctx.Done():
		c.stop()
		return ctx.Err()
	}
}
