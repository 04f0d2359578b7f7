package disks

import (
	"testing"
)

const mirrored = unit + "/block/sda/holders/md0"

// A disk's commands are retried without a limit unless it is a leg of a mirror or map; a value that
// an administrator writes is kept.
func TestRetries(t *testing.T) {
	r := newRig(t)
	r.write(map[string]string{"class/block/md0/md/level": "raid1\n"})
	k := r.keeper(Memory{})
	look := func(want string, few bool) {
		t.Helper()
		k.checkAll()
		r.is(retry, want)
		if k.FewRetries(1) != few || k.FewRetries(2) {
			t.Errorf("few retries: %v", k.FewRetries(1))
		}
	}
	look("-1", false)
	r.write(map[string]string{mirrored: ""}) // it becomes a leg
	look("5", false)
	look("5", false)
	r.remove(mirrored)
	look("-1", false)
	r.quiet()

	r.write(map[string]string{retry: "3\n"}) // an administrator
	look("3", true)
	if r.logged("max_retries of sda was set to 3 by another program") != 1 {
		t.Errorf("logged %q", r.log)
	}
	r.write(map[string]string{mirrored: ""})
	look("3", false)
	r.remove(mirrored)
	look("3", true)

	r.replace() // another disk in its place
	look("-1", false)
	if len(r.log) != 1 || r.changes == 0 {
		t.Errorf("logged %q, %d changes", r.log, r.changes)
	}
	r.remove(unit)
	look("", false)
	if m := k.Memory(); len(m.disks) != 0 {
		t.Errorf("of a disk that was removed is kept %+v", m)
	}
}

// replace puts another disk in the place of the first.
func (r *rig) replace() {
	r.write(map[string]string{"old": ""})
	r.remove("old")
	r.rename(unit+"/scsi_disk", "old") // its inode is not given to the next
	r.write(map[string]string{retry: "5\n"})
}

// A kernel without the file, and one that refuses the write, have few retries, and so have the
// disks of mirrors, where that does no harm.
func TestFewRetries(t *testing.T) {
	r := newRig(t)
	r.remove(retry)
	r.write(map[string]string{unit + "/scsi_disk/2:0:0:1/cache_type": ""})
	k := r.keeper(Memory{})
	if k.checkAll(); !k.FewRetries(1) {
		t.Error("a disk without the file repeats without a limit")
	}
	r.quiet()
	r.write(map[string]string{mirrored: "", "class/block/md0/md/level": "raid1\n"})
	if k.checkAll(); k.FewRetries(1) {
		t.Error("a leg of a mirror has its logins spaced out")
	}
	r.remove(mirrored)
	r.write(map[string]string{retry: "five\n"})
	for range 3 {
		if k.checkAll(); !k.FewRetries(1) {
			t.Error("a file that cannot be read counts as set")
		}
	}
	if len(r.log) != 1 {
		t.Errorf("logged %q", r.log)
	}
}

// The next worker has the original value, and whether another program has changed it.
func TestRetriesInNextWorker(t *testing.T) {
	r := newRig(t)
	r.write(map[string]string{retry: "4\n", "class/block/md0/md/level": "raid1\n"})
	k := r.keeper(Memory{})
	k.checkAll()
	next := r.next(k)
	next.checkAll()
	r.write(map[string]string{mirrored: ""})
	next.checkAll()
	r.is(retry, "4")
	r.remove(mirrored)
	next.checkAll()
	r.write(map[string]string{retry: "2\n"})
	next = r.next(next) // while it was written none looked
	next.checkAll()
	next = r.next(next)
	next.checkAll()
	r.is(retry, "2")
	if len(r.log) != 1 {
		t.Errorf("logged %q", r.log)
	}
}
