package disks

import (
	"errors"
	"io/fs"
	"strconv"
)

// unlimited is a disk's number of retries without a limit
// (include/scsi/scsi_device.h: SCSI_CMD_RETRIES_NO_LIMIT). It also lifts the limit
// on a command's age (drivers/scsi/scsi_lib.c: scsi_cmd_runtime_exceeced_limit).
const unlimited = -1

// retries is what was found and done of one disk's max_retries.
type retries struct {
	id             uint64 // the disk's
	original       int    // the value found
	set            bool   // unlimited was written
	changedByOther bool   // another program has written since: that stays
}

// setRetries gives a disk the retries that it should have, and tells whether a
// command of it ends in an error after a few breaks where that should not be.
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
