package boot

import (
	"context"
	"errors"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// loadDrivers loads bus and NIC drivers by modalias: those of the devices that
// are there, and of each that a loaded driver or a person adds, until the
// network is up.
func (m *Machine) loadDrivers(ctx context.Context) error {
	tried := map[string]bool{}
	return m.Uevents.Wait(ctx, func(ev uevent.Event) (bool, error) {
		if m.networkUp.Load() {
			return true, nil
		}
		if ev.Action != "" && ev.Modalias == "" {
			return false, nil // nothing that a driver could be loaded for
		}
		return false, m.coldplug(ctx, tried)
	})
}

// coldplug loads what the present devices want, again and again while that
// brings new devices.
func (m *Machine) coldplug(ctx context.Context, tried map[string]bool) error {
	for {
		aliases, err := modload.Modaliases("/sys")
		if err != nil {
			return err
		}
		fresh := false
		for _, alias := range aliases {
			if tried[alias] {
				continue
			}
			tried[alias] = true
			for _, mod := range m.index.Match(alias) {
				if !modload.Wanted(mod) || tried[mod.Name] {
					continue
				}
				tried[mod.Name] = true
				fresh = true
				if err := m.loader.Load(ctx, mod.Name); err != nil {
					// Another driver may be the one that brings the
					// network up; if none does, that step says so.
					m.Log.Warnf("%v", err)
				}
			}
		}
		if !fresh {
			return nil
		}
	}
}

// loadISCSI loads the initiator and the SCSI disk driver. crc32c comes first:
// the kernel would ask /sbin/modprobe for it when the connection is made.
func (m *Machine) loadISCSI(ctx context.Context) error {
	for _, name := range []string{"crypto-crc32c", "iscsi_tcp", "sd_mod"} {
		if err := m.loadIfThere(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// loadFilesystems loads what root may need, while the network comes up.
func (m *Machine) loadFilesystems(ctx context.Context) error {
	return m.loadIfThere(ctx, "ext4")
}

// loadIfThere loads a module, or what an alias stands for. One that the image
// does not hold is no error yet: it may be built in, and if it is not, the step
// that needs it has the better words.
func (m *Machine) loadIfThere(ctx context.Context, name string) error {
	err := m.loader.Load(ctx, name)
	var missing *kmod.NotFoundError
	if errors.As(err, &missing) {
		m.Log.Debugf("%v", err)
		return nil
	}
	return err
}
