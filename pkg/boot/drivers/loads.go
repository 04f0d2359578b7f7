package drivers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// loads are the drivers that are being loaded, each by a goroutine of its own. It is inside
// finit_module(2) for as long as the driver's probe takes, which for a card that waits for its
// firmware is a minute and more, and nothing ends it. So no step waits for it without a limit.
//
// To load with the parameter async_probe, with which finit_module does not wait for the probe
// (kernel/module/main.c: do_init_module), is no way out: the cards of one driver are then probed
// side by side as well (drivers/base/dd.c: __driver_attach), so that with net.ifnames=0 eth0 and
// eth1 can change places from one boot to the next, and nothing would tell when a probe is over.
//
// The zero value is ready for use.
type loads struct {
	mu    sync.Mutex // taken last
	under map[string]*load
	ended time.Time // when the last one did
}

// load is one of them.
type load struct {
	name  string
	began time.Time
	done  chan struct{} // closed at its end
}

// begin loads a driver by f, after the end of a load of the same one that is under way: that one
// can be of an earlier try, and have been cut short between two modules. What f returns goes to
// failed, in the same goroutine, which ends with f.
func (l *loads) begin(name string, f func() error, failed func(error)) *load {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := &load{name: name, began: time.Now(), done: make(chan struct{})}
	before := l.under[name]
	if before != nil {
		one.began = before.began
	}
	if l.under == nil {
		l.under = map[string]*load{}
	}
	l.under[name] = one
	contain.Go("load "+name, func() {
		defer l.end(one)
		if before != nil {
			<-before.done
		}
		if err := contain.Call("", f); err != nil {
			failed(err)
		}
	}, nil)
	return one
}

func (l *loads) end(one *load) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.under[one.name] == one {
		delete(l.under, one.name)
	}
	l.ended = time.Now()
	close(one.done)
}

// of returns the load of a driver that is under way, nil if there is none.
func (l *loads) of(name string) *load {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.under[name]
}

// names lists what is being loaded.
func (l *loads) names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.under))
}

// idle is how long ago the last one ended; 0 while there is any.
func (l *loads) idle() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.under) > 0 {
		return 0
	}
	return time.Since(l.ended)
}

// wait returns when none is left, or ctx ends.
func (l *loads) wait(ctx context.Context) {
	for {
		l.mu.Lock()
		var one *load
		for _, one = range l.under {
			break
		}
		l.mu.Unlock()
		if one == nil {
			return
		}
		select {
		case <-one.done:
		case <-ctx.Done():
			return
		}
	}
}

// oldest is what is being loaded, and for how long; "" if nothing is.
func (l *loads) oldest() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.under) == 0 {
		return ""
	}
	first := time.Now()
	for _, one := range l.under {
		if one.began.Before(first) {
			first = one.began
		}
	}
	noun := "driver"
	if len(l.under) > 1 {
		noun = "drivers"
	}
	return fmt.Sprintf("%s %s, still loading for %d s", noun, strings.Join(slices.Sorted(maps.Keys(l.under)), ", "), int(time.Since(first).Seconds()))
}

// Loading names the drivers that are being loaded.
func (d *Drivers) Loading() []string { return d.loads.names() }

// Idle is how long ago the last load of a driver ended; 0 while there is any.
func (d *Drivers) Idle() time.Duration { return d.loads.idle() }

// lastDrivers is for how long the real init waits for drivers: longer than the kernel waits for a
// firmware file that user space does not deliver (drivers/base/firmware_loader/fallback.c: 60 s).
const lastDrivers = 90 * time.Second

// Await is for the step "switch-root": it waits before execve for what is being loaded. The kernel
// would wait too: execve ends the other threads of process 1, and a thread comes to its end only
// when it leaves the kernel (fs/exec.c: de_thread). But it would kill them first, at which a probe
// that starts a kernel thread or waits killably fails (kernel/kthread.c: __kthread_create_on_node),
// and the real system would be without the card. ctrl-alt-del works meanwhile. It fails only with
// ctx.
func (d *Drivers) Await(ctx context.Context) error {
	if d.coldplug != nil {
		d.coldplug.stop() // no other module after those
	}
	text := d.loads.oldest()
	if text == "" {
		return nil
	}
	d.Log.Warnf("waiting for %s: the kernel cannot start the real init before it returns", text)
	limited, cancel := context.WithTimeout(ctx, lastDrivers)
	defer cancel()
	d.loads.wait(limited)
	return ctx.Err()
}
