package netboot

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// The journal of an update is a file that lists what changes, a line for each: "dir PATH" for a
// directory that is made, and the kind and path of each [Change]. Its name is how far the update
// has come, and rename(2) takes it from one stage to the next. A run that was killed leaves it, and
// the next one begins with takeBack.
const (
	preparing = ".iscsiroot-pxe-prepare" // new files and copies of old ones are made; nothing has changed
	switching = ".iscsiroot-pxe-switch"  // new files take the places of old ones
	switched  = ".iscsiroot-pxe-done"    // all have, and the copies of the old ones are removed
)

// temporary is the suffix of a file that is to take the place of another, and replaced that of one
// whose place was taken.
const (
	temporary = ".iscsiroot-new"
	replaced  = ".iscsiroot-old"
)

// entry is a line of the journal.
type entry struct{ kind, path string }

// directory is the kind of an entry for a directory that is made.
const directory = "dir"

// journalOf lists what an update with these changes does.
func journalOf(d disk, changes []Change) ([]entry, error) {
	var out []entry
	for _, c := range changes {
		if c.Kind == "removed" {
			continue
		}
		var missing []entry
		for dir := path.Dir(c.File.Path); dir != "."; dir = path.Dir(dir) {
			there, err := d.exists(dir)
			if err != nil {
				return nil, err
			}
			e := entry{directory, dir}
			if there || slices.Contains(out, e) {
				break
			}
			missing = append(missing, e)
		}
		slices.Reverse(missing)
		out = append(out, missing...)
	}
	for _, c := range changes {
		out = append(out, entry{c.Kind, c.File.Path})
	}
	return out, nil
}

// journalText is the journal as a file.
func journalText(entries []entry) []byte {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.kind + " " + e.path + "\n")
	}
	return []byte(b.String())
}

// parseJournal reads a journal. A line that is cut off was not begun with.
func parseJournal(text []byte) []entry {
	var out []entry
	for line := range strings.Lines(string(text)) {
		kind, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if strings.HasSuffix(line, "\n") && fs.ValidPath(name) && name != "." {
			out = append(out, entry{kind, name})
		}
	}
	return out
}

// takeBack ends an update that a run has begun: what is there afterwards is the old files, or the
// new ones if all of them had taken their places.
func takeBack(d disk) error {
	for _, stage := range []string{switched, switching, preparing} {
		text, err := d.read(stage)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = takeBackFrom(d, stage, parseJournal(text))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// takeBackFrom takes back an update that came to a stage. An error keeps the journal, and what can
// be done without it is done.
func takeBackFrom(d disk, stage string, entries []entry) error {
	if err := d.sync("."); err != nil { // that this stage was reached
		return err
	}
	var errs []error
	for _, e := range slices.Backward(entries) {
		if e.kind == directory {
			continue
		}
		if stage == switching {
			if err := e.restore(d); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		errs = append(errs, d.remove(e.path+temporary), d.remove(e.path+replaced))
	}
	for _, e := range slices.Backward(entries) {
		if e.kind == directory && stage != switched {
			d.rmdir(e.path)
		}
	}
	if err := errors.Join(append(errs, syncParents(d, entries))...); err != nil {
		return err
	}
	return d.remove(stage)
}

// restore brings the old file back, and removes a new one that had no old one.
func (e entry) restore(d disk) error {
	if e.kind != "new" {
		err := d.rename(e.path+replaced, e.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // restored already, or its place was not taken
		}
		return err
	}
	waits, err := d.exists(e.path + temporary)
	if err != nil || waits {
		return err
	}
	return d.remove(e.path)
}

// syncParents sees that the names in all directories of an update are on disk.
func syncParents(d disk, entries []entry) error {
	dirs := map[string]bool{".": true}
	for _, e := range entries {
		dirs[path.Dir(e.path)] = true
	}
	for dir := range dirs {
		if err := d.sync(dir); err != nil && !isAbsent(err) {
			return err
		}
	}
	return nil
}
