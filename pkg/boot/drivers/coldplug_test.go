package drivers

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// hardware is a machine whose devices appear when the driver of their parent is loaded. A device
// has the name of its driver.
type hardware struct {
	probes   map[string]time.Duration // how long each driver takes
	children map[string][]string      // the devices that appear with it

	mu      sync.Mutex
	devices []string // that Next has not returned yet
}

func (h *hardware) next() ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, driver := range h.devices {
		out = append(out, "alias:"+driver)
	}
	h.devices = nil
	return out, nil
}

func (h *hardware) add(devices ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.devices = append(h.devices, devices...)
}

// machineWith is a machine with such hardware, and the coldplug that loads its drivers.
func machineWith(tr *steptest.Trace, h *hardware) (*Drivers, *coldplug, *steptest.Recorder) {
	log := &steptest.Recorder{}
	d := New(Config{Log: log, Up: &sequence.Flag{}})
	c := &coldplug{
		next:  h.next,
		match: func(alias string) []kmod.Module { return []kmod.Module{{Name: strings.TrimPrefix(alias, "alias:")}} },
		load: func(_ context.Context, name string) error { // which ctx does not end, as in the kernel
			tr.Note("load " + name)
			time.Sleep(h.probes[name])
			tr.Note("end " + name)
			if strings.HasPrefix(name, "bad") {
				return errors.New("load module " + name + ": no such device")
			}
			h.add(h.children[name]...)
			return nil
		},
		log: log, loads: &d.loads, settled: make(chan struct{}), tried: map[string]bool{},
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	d.coldplug = c
	return d, c, log
}

// Drivers are loaded bus by bus, those of one bus concurrently, and those of rd.driver.post= last.
func TestColdplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := steptest.NewTrace()
		h := &hardware{
			devices:  []string{"virtio_pci", "e1000", "e1000", "bad"},
			probes:   map[string]time.Duration{"virtio_pci": time.Second, "e1000": 2 * time.Second},
			children: map[string][]string{"virtio_pci": {"virtio_net"}},
		}
		_, c, log := machineWith(tr, h)
		c.post = []string{"last"}
		c.start()
		if err := c.wait(t.Context(), nil); err != nil {
			t.Error(err)
		}
		tr.Check(t, `
0s end bad
0s load bad
0s load e1000
0s load virtio_pci
1s end virtio_pci
2s end e1000
2s end last
2s end virtio_net
2s load last
2s load virtio_net`)
		if diff := cmp.Diff([]string{"warning load module bad: no such device"}, log.Lines()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// A slow driver of a second card delays the devices of another bus for a moment only, and the step
// not at all once the network is up. It is logged once.
func TestColdplugSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := steptest.NewTrace()
		h := &hardware{
			devices:  []string{"virtio_pci", "slow"},
			probes:   map[string]time.Duration{"slow": time.Minute},
			children: map[string][]string{"virtio_pci": {"virtio_net"}},
		}
		d, c, log := machineWith(tr, h)
		c.start()
		if err := c.wait(t.Context(), nil); err != nil || time.Since(tr.Began) != busLimit {
			t.Errorf("%v after %v", err, time.Since(tr.Began))
		}
		if diff := cmp.Diff([]string{"info still loading: slow"}, log.Lines()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		tr.Check(t, `
0s end virtio_pci
0s load slow
0s load virtio_pci
3s end virtio_net
3s load virtio_net`)

		// The start of the real init waits for it, and logs that.
		time.Sleep(2 * time.Second)
		before := len(log.Lines())
		logged := func() string { return strings.Join(log.Lines()[before:], "\n") }
		if err := d.Await(t.Context()); err != nil || time.Since(tr.Began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(tr.Began))
		}
		want := "warning waiting for driver slow, still loading for 5 s: the kernel cannot start the real init before it returns"
		if got := logged(); got != want {
			t.Errorf("logged %q", got)
		}
		if err := d.Await(t.Context()); err != nil || logged() != want {
			t.Errorf("%v, logged %q", err, logged())
		}
	})
}

// Waits for drivers end when the network is up, and with their context.
func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hardware{devices: []string{"slow"}, probes: map[string]time.Duration{"slow": time.Hour}}
		d, c, _ := machineWith(steptest.NewTrace(), h)
		began := time.Now()
		time.AfterFunc(time.Second, d.Up.Set)
		c.start()
		if err := c.wait(t.Context(), d.Up.Context().Done()); err != nil || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.wait(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		<-c.settled // ended with it
		if !errors.Is(c.err, context.Canceled) || time.Since(began) != 2*time.Second {
			t.Errorf("%v after %v", c.err, time.Since(began))
		}
		if err := d.Await(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the real init is started although the step was cancelled: %v", err)
		}
		time.Sleep(time.Hour)
	})
}

// A module that is loaded again meanwhile is loaded after that, because its parameters can differ
// and the first load can have been cancelled.
func TestLoadsOfOneModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l loads
		tr := steptest.NewTrace()
		begin := func(name string, err error) *load {
			return l.begin("e1000", func() error { tr.Note(name); time.Sleep(time.Second); return err }, func(err error) { tr.Note(err.Error()) })
		}
		first := begin("first", errors.New("oops"))
		second := begin("second", nil)
		if got := l.names(); !slices.Equal(got, []string{"e1000"}) || l.idle() != 0 {
			t.Errorf("%q, idle for %v", got, l.idle())
		}
		<-first.done
		if got := l.names(); !slices.Equal(got, []string{"e1000"}) {
			t.Errorf("after the first: %q", got)
		}
		l.wait(t.Context())
		<-second.done
		time.Sleep(time.Minute)
		if l.names() != nil || l.idle() != time.Minute || l.oldest() != "" {
			t.Errorf("%q, idle for %v, %s", l.names(), l.idle(), l.oldest())
		}
		tr.Check(t, "0s first\n1s oops\n1s second")
	})
}

// The step late-drivers ends when the network is up, without an event.
func TestLateDriversEnd(t *testing.T) {
	events, err := uevent.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = events.Close() }()
	d, c, _ := machineWith(steptest.NewTrace(), &hardware{})
	d.Uevents = func() *uevent.Listener { return events }
	looked := make(chan struct{}, 16)
	next := c.next
	c.next = func() ([]string, error) { looked <- struct{}{}; return next() }
	c.start()
	<-looked
	ended := make(chan error)
	go func() { ended <- d.LoadLate(t.Context()) }()
	<-looked // the first call of Wait
	d.Up.Set()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	d.Up.Reset()
	if d.Up.IsSet() {
		t.Error("it is set after Reset")
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	if err := d.LoadLate(ctx); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
