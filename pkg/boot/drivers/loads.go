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
// (kernel/module/main.c: do_init_module), does not help: the cards of one driver are then probed
// concurrently as well (drivers/base/dd.c: __driver_attach), so that with net.ifnames=0 eth0 and
// eth1 can be exchanged from one boot to the next, and the end of a probe could not be seen.
//
// The zero value is ready for use.
type loads struct {
	mu    sync.Mutex // taken last
	under map[string]*load
	ended time.Time // when the last one did
}

// load is the load of one driver.
type load struct {
	name  string
	began time.Time
	done  chan struct{} // closed at its end
}

// begin loads a driver by f, after the end of a load of the same driver that is under way: that one
// may belong to an earlier attempt, and have been cancelled between two modules. The error of f is
// passed to failed, in the same goroutine, which ends with f.
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

// find returns the load of a driver that is under way, nil if there is none.
func (l *loads) find(name string) *load {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.under[name]
}

// names lists the drivers that are being loaded.
func (l *loads) names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.under))
}

// idle returns how long ago the last load ended; 0 while there is any.
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

// oldest describes the drivers that are being loaded, and for how long; "" if there are none.
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

// Idle returns how long ago the last load of a driver ended; 0 while there is any.
func (d *Drivers) Idle() time.Duration { return d.loads.idle() }

// lastDrivers is for how long the start of the real init waits for drivers: longer than the kernel
// waits for a firmware file that user space does not deliver
// (drivers/base/firmware_loader/fallback.c: 60 s).
const lastDrivers = 90 * time.Second

// Await is for the step "switch-root": before execve it waits for the drivers that are being
// loaded. The kernel would wait too: execve ends the other threads of process 1, and a thread ends
// only when it leaves the kernel (fs/exec.c: de_thread). But it would kill them first, and then a
// probe that starts a kernel thread or waits killably fails (kernel/kthread.c:
// __kthread_create_on_node), and the real system would be without the card. ctrl-alt-del works
// meanwhile. It fails only with ctx.
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
