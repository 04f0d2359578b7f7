package disks

import (
	"errors"
	"io/fs"
	"strconv"
)

// unlimited is the value of max_retries for no limit (include/scsi/scsi_device.h:
// SCSI_CMD_RETRIES_NO_LIMIT). It also lifts the limit on a command's age (drivers/scsi/scsi_lib.c:
// scsi_cmd_runtime_exceeced_limit).
const unlimited = -1

// retries is the state of one disk's max_retries.
type retries struct {
	id             uint64 // the disk's
	original       int    // the value found
	set            bool   // unlimited was written
	changedByOther bool   // another program has written since: not changed
}

// setRetries sets a disk's max_retries, and reports whether its commands fail after a few lost
// connections although they should not.
func (k *Keeper) setRetries(d disk, leg bool) (few bool) {
	v, err := readInt(d.attr)
	if errors.Is(err, fs.ErrNotExist) {
		return !leg
	} else if err != nil {
		k.warn(d.Address, err)
		return !leg
	}
	r := k.retries[d.Address]
	if r == nil || r.id != d.id {
		r = &retries{id: d.id, original: v}
		k.retries[d.Address] = r
	}
	switch {
	case r.set && v != unlimited:
		r.set, r.changedByOther = false, true
		k.cfg.Log.Infof("session %d: max_retries of %s was set to %d by another program: not changed", d.Session, d.Disk, v)
	case r.set && leg:
		if err := writeFile(d.attr, strconv.Itoa(r.original)); err != nil {
			k.warn(d.Address, err)
			break
		}
		r.set, v = false, r.original
	case !r.set && !r.changedByOther && !leg && v != unlimited:
		if err := writeFile(d.attr, strconv.Itoa(unlimited)); err != nil {
			k.warn(d.Address, err)
			break
		}
		r.set, v = true, unlimited
	}
	return !leg && v != unlimited
}
