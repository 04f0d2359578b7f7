package rootfs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
)

// active is an assembly that a layer has activated.
type active struct {
	layer    blockdev.Layer
	assembly blockdev.Assembly
	devices  []*blockdev.Device // that it is
}

func (a *active) same(layer blockdev.Layer, name string) bool {
	return a.layer.Name() == layer.Name() && a.assembly.Name == name
}

// stack is the devices that stand on disks.
type stack struct {
	devices []*blockdev.Device // each after the devices that it stands on, disk by disk
	tried   []*active          // also those that could not be activated
	active  []*active          // in the order of their activation
	failed  map[string]error   // by disk: why not all devices on it are known
	parts   *maps.Partitions   // the layer of the partitions of multipath maps
	arrays  *arrays.Layer      // the layer of md arrays; nil: it was not run
	volumes *volumes.Layer     // the layer of logical volumes; nil: it was not run
	errs    []error            // why other assemblies could not be activated
}

// stand runs layers over disks, which are read anew, until nothing new appears. It shares no state,
// so it may run in another goroutine.
func stand(ctx context.Context, p paths, layers []blockdev.Layer, disks []*blockdev.Device) *stack {
	sk := &stack{failed: map[string]error{}}
	for _, d := range disks {
		disk, err := blockdev.Read(p.sys, d.Name)
		if err != nil {
			disk = &blockdev.Device{Name: d.Name} // the list of its partitions fails too
		}
		disk.LUN = d.LUN
		sk.devices = append(sk.devices, disk)
	}
	sk.grow(ctx, layers)
	return sk
}

// grow runs layers until nothing new appears.
func (sk *stack) grow(ctx context.Context, layers []blockdev.Layer) {
	for grown := true; grown; {
		grown = false
		for _, l := range layers {
			grown = sk.add(ctx, l) || grown
		}
	}
}

// add activates what a layer finds, and reports whether there was anything new.
func (sk *stack) add(ctx context.Context, l blockdev.Layer) (grown bool) {
	found, err := l.Find(ctx, sk.devices)
	if err != nil {
		sk.fail(l, sk.devices, fmt.Errorf("%s: %w", l.Name(), err))
	}
	for _, a := range found {
		if slices.ContainsFunc(sk.tried, func(other *active) bool { return other.same(l, a.Name) }) {
			continue
		}
		now := &active{layer: l, assembly: a}
		sk.tried = append(sk.tried, now)
		devices, err := l.Activate(ctx, a)
		if err != nil {
			sk.fail(l, a.Members, err)
			continue
		}
		if len(devices) == 0 {
			continue
		}
		now.devices = devices
		sk.active = append(sk.active, now)
		grown = true
		sk.insert(a.Members, devices)
	}
	return grown
}

// insert puts devices after the last of those that they stand on.
func (sk *stack) insert(members, devices []*blockdev.Device) {
	at := 0
	for i, d := range sk.devices {
		if d.In(members) {
			at = i + 1
		}
	}
	sk.devices = slices.Insert(sk.devices, at, devices...)
}

// fail notes an error of a layer. Without its partitions a disk is not known; what else could not
// be activated hides none of the devices below.
func (sk *stack) fail(l blockdev.Layer, devices []*blockdev.Device, err error) {
	if _, ok := l.(*partitions); !ok {
		sk.errs = append(sk.errs, err)
		return
	}
	for _, d := range devices {
		for _, disk := range d.Units() {
			if sk.failed[disk.Name] == nil {
				sk.failed[disk.Name] = err
			}
		}
	}
}

// on returns a disk and the devices that stand on it.
func (sk *stack) on(disk *blockdev.Device) ([]*blockdev.Device, error) {
	if err := sk.failed[disk.Name]; err != nil {
		return nil, err
	}
	var out []*blockdev.Device
	for _, d := range sk.devices {
		if d.On(disk.Name) {
			out = append(out, d)
		}
	}
	return out, nil
}

// inspect reads the contents of these devices.
func (sk *stack) inspect(ctx context.Context, p paths, disk *blockdev.Device) ([]*blockdev.Device, error) {
	devices, err := sk.on(disk)
	if err != nil {
		return nil, err
	}
	return devices, blockdev.Inspect(ctx, p.sys, p.dev, devices)
}

// wants is which arrays and volumes a search wants.
type wants struct {
	arrays  arrays.Filter
	volumes volumes.Filter
	disk    bool // it is a disk or a partition of one: it is on no array
	// degraded: what lacks members that it can do without is activated, after all else.
	degraded bool
}

// stackOf runs the layers over disks, and notes what was activated. An array or a volume may stand
// on other disks too, so where a search wants some, all disks are looked at. The reads are the
// search's.
func (st *Storage) stackOf(ctx context.Context, p paths, disks []*blockdev.Device, want wants, r *reads.Set) *stack {
	parts := &maps.Partitions{Maps: st.mapper(), Open: r.Open, Temporary: reads.Temporary}
	all := []blockdev.Layer{&partitions{sys: p.sys}, parts}
	var array *arrays.Layer
	var lv *volumes.Layer
	if !want.arrays.None() {
		array = st.arrayLayer(r, p, want.arrays)
		all = append(all, array)
	}
	if !want.volumes.None() {
		lv = st.volumeLayer(r, p, want.volumes)
		all = append(all, lv)
	}
	if array != nil || lv != nil {
		disks = slices.Clone(disks)
		for _, d := range st.allDisks() {
			if !d.In(disks) {
				disks = append(disks, d)
			}
		}
	}
	sk := stand(ctx, p, all, disks)
	sk.parts, sk.arrays, sk.volumes = parts, array, lv
	if want.degraded {
		sk.degrade(ctx, all)
	}
	for _, a := range sk.active {
		st.active = slices.DeleteFunc(st.active, func(old *active) bool { return old.same(a.layer, a.assembly.Name) })
		st.active = append(st.active, a)
	}
	return sk
}

// degrade activates what lacks members that it can do without, one array after the other, each only
// when nothing else can become whole: one may stand on another. Volumes come last.
func (sk *stack) degrade(ctx context.Context, all []blockdev.Layer) {
	for grown := sk.arrays != nil; grown; {
		sk.arrays.Want.Degraded = true
		grown = sk.add(ctx, sk.arrays)
		sk.arrays.Want.Degraded = false
		sk.grow(ctx, all)
	}
	if sk.volumes != nil {
		sk.volumes.Want.Degraded = true
		sk.grow(ctx, all)
	}
}

// deactivate deactivates the devices on a disk, the last first; errInUse: one is in use.
func (st *Storage) deactivate(ctx context.Context, disk string) error {
	for i := len(st.active) - 1; i >= 0; i-- {
		a := st.active[i]
		if !slices.ContainsFunc(a.assembly.Members, func(d *blockdev.Device) bool { return d.On(disk) }) {
			continue
		}
		err := st.deactivateWithin(ctx, a)
		switch {
		case errors.Is(err, unix.EBUSY):
			return errInUse
		case err != nil:
			return fmt.Errorf("%s of %s: %w", a.layer.Name(), a.assembly.Name, err)
		}
		st.active = slices.Delete(st.active, i, i+1)
	}
	return nil
}

// DeactivateUnused deactivates the arrays and volumes that are not in use: those that were
// activated to look into them, or all, before their sessions end.
func (st *Storage) DeactivateUnused(ctx context.Context) { st.deactivateOthers(ctx, nil) }

// deactivateOthers deactivates the arrays and volumes that are not in use, and on which none of
// these devices stands.
func (st *Storage) deactivateOthers(ctx context.Context, keep []*blockdev.Device) {
	for i := len(st.active) - 1; i >= 0; i-- {
		a := st.active[i]
		if a.below(keep) || ofDisk(a.layer) {
			continue
		}
		err := st.deactivateWithin(ctx, a)
		switch {
		case errors.Is(err, unix.EBUSY):
		case err != nil:
			st.Log.Warnf("%s of %s: %v", a.layer.Name(), a.assembly.Name, err)
		default:
			st.active = slices.Delete(st.active, i, i+1)
		}
	}
}

// ofDisk reports whether a layer's devices stay as long as the disk: partitions, also those of a
// multipath map, which the real system may need.
func ofDisk(l blockdev.Layer) bool {
	switch l.(type) {
	case *partitions, *maps.Partitions:
		return true
	}
	return false
}

// below reports whether any of these devices is one of the assembly, or stands on one.
func (a *active) below(devices []*blockdev.Device) bool {
	return slices.ContainsFunc(devices, func(d *blockdev.Device) bool { return d.In(a.devices) || a.below(d.Parents) })
}

// deactivateWithin deactivates an assembly within detachLimit: the kernel writes to the members of
// some, and waits for a target that does not respond. The goroutine ends when the kernel returns,
// and removes nothing more then.
func (st *Storage) deactivateWithin(ctx context.Context, a *active) error {
	defer sequence.Blocking(ctx, "deactivation of "+a.assembly.Name)()
	ctx, cancel := context.WithTimeout(ctx, detachLimit)
	defer cancel()
	done := make(chan error, 1)
	end := st.calls.Begin("deactivation of " + a.assembly.Name)
	contain.Go("", func() {
		done <- func() error {
			defer end()
			return a.layer.Deactivate(ctx, a.assembly)
		}()
	}, func(err error) { done <- err })
	select {
	case err := <-done:
		if l, ok := a.layer.(*arrays.Layer); ok && err == nil {
			l.Stopped(a.assembly)
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("not deactivated: %w", ctx.Err())
	}
}
