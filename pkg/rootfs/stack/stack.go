// Package stack has the devices that stand on disks: it runs layers over them until nothing new
// appears, and deactivates what they have activated.
package stack

import (
	"context"
	"fmt"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
)

// Active is an assembly that a layer has activated.
type Active struct {
	Layer    blockdev.Layer
	Assembly blockdev.Assembly
	Devices  []*blockdev.Device // that it is
}

func (a *Active) same(layer blockdev.Layer, name string) bool {
	return a.Layer.Name() == layer.Name() && a.Assembly.Name == name
}

// Stack is the devices that stand on disks.
type Stack struct {
	Devices []*blockdev.Device // each after the devices that it stands on, disk by disk
	Tried   []*Active          // also those that could not be activated
	Active  []*Active          // in the order of their activation
	failed  map[string]error   // by disk: why not all devices on it are known
	Parts   *maps.Partitions   // the layer of the partitions of multipath maps
	Arrays  *arrays.Layer      // the layer of md arrays; nil: it was not run
	Volumes *volumes.Layer     // the layer of logical volumes; nil: it was not run
	Errs    []error            // why other assemblies could not be activated
}

// Stand runs layers over disks, which are read anew, until nothing new appears. sys is where sysfs
// is mounted. It shares no state, so it may run in another goroutine.
func Stand(ctx context.Context, sys string, layers []blockdev.Layer, disks []*blockdev.Device) *Stack {
	sk := &Stack{failed: map[string]error{}}
	for _, d := range disks {
		disk, err := blockdev.Read(sys, d.Name)
		if err != nil {
			disk = &blockdev.Device{Name: d.Name} // the list of its partitions fails too
		}
		disk.LUN = d.LUN
		sk.Devices = append(sk.Devices, disk)
	}
	sk.grow(ctx, layers)
	return sk
}

// grow runs layers until nothing new appears.
func (sk *Stack) grow(ctx context.Context, layers []blockdev.Layer) {
	for grown := true; grown; {
		grown = false
		for _, l := range layers {
			grown = sk.add(ctx, l) || grown
		}
	}
}

// add activates what a layer finds, and reports whether there was anything new.
func (sk *Stack) add(ctx context.Context, l blockdev.Layer) (grown bool) {
	found, err := l.Find(ctx, sk.Devices)
	if err != nil {
		sk.fail(l, sk.Devices, fmt.Errorf("%s: %w", l.Name(), err))
	}
	for _, a := range found {
		if slices.ContainsFunc(sk.Tried, func(other *Active) bool { return other.same(l, a.Name) }) {
			continue
		}
		now := &Active{Layer: l, Assembly: a}
		sk.Tried = append(sk.Tried, now)
		devices, err := l.Activate(ctx, a)
		if err != nil {
			sk.fail(l, a.Members, err)
			continue
		}
		if len(devices) == 0 {
			continue
		}
		now.Devices = devices
		sk.Active = append(sk.Active, now)
		grown = true
		sk.insert(a.Members, devices)
	}
	return grown
}

// insert puts devices after the last of those that they stand on.
func (sk *Stack) insert(members, devices []*blockdev.Device) {
	at := 0
	for i, d := range sk.Devices {
		if d.In(members) {
			at = i + 1
		}
	}
	sk.Devices = slices.Insert(sk.Devices, at, devices...)
}

// fail notes an error of a layer. Without its partitions a disk is not known; what else could not
// be activated hides none of the devices below.
func (sk *Stack) fail(l blockdev.Layer, devices []*blockdev.Device, err error) {
	if _, ok := l.(*Partitions); !ok {
		sk.Errs = append(sk.Errs, err)
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

// On returns a disk and the devices that stand on it.
func (sk *Stack) On(disk *blockdev.Device) ([]*blockdev.Device, error) {
	if err := sk.failed[disk.Name]; err != nil {
		return nil, err
	}
	var out []*blockdev.Device
	for _, d := range sk.Devices {
		if d.On(disk.Name) {
			out = append(out, d)
		}
	}
	return out, nil
}

// Inspect reads the contents of these devices. dev is where devtmpfs is mounted.
func (sk *Stack) Inspect(ctx context.Context, sys, dev string, disk *blockdev.Device) ([]*blockdev.Device, error) {
	devices, err := sk.On(disk)
	if err != nil {
		return nil, err
	}
	return devices, blockdev.Inspect(ctx, sys, dev, devices)
}

// Degrade activates what lacks members that it can do without, one array after the other, each only
// when nothing else can become whole: one may stand on another. Volumes come last.
func (sk *Stack) Degrade(ctx context.Context, all []blockdev.Layer) {
	for grown := sk.Arrays != nil; grown; {
		sk.Arrays.Want.Degraded = true
		grown = sk.add(ctx, sk.Arrays)
		sk.Arrays.Want.Degraded = false
		sk.grow(ctx, all)
	}
	if sk.Volumes != nil {
		sk.Volumes.Want.Degraded = true
		sk.grow(ctx, all)
	}
}

// Likely returns the devices on disks of one kind, the likeliest of each disk first.
func (sk *Stack) Likely(disks []*blockdev.Device, kind blockdev.Base) ([]*blockdev.Device, error) {
	var out []*blockdev.Device
	for _, d := range disks {
		devices, err := sk.On(d)
		if err != nil {
			return nil, err
		}
		for _, one := range blockdev.Likely(devices) {
			if one.Base() == kind && !one.In(out) {
				out = append(out, one)
			}
		}
	}
	return out, nil
}
