package netboot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/outfile"
)

// lockName is the file by which runs on one directory take turns.
const lockName = ".iscsiroot-pxe-lock"

// Options of [Update].
type Options struct {
	Owner     Owner  // of files with secrets below tftp/
	Overwrite bool   // also files that are not as the last run has written them
	Waiting   func() // called once if there is another run on the directory
}

// Update writes files into a directory, which need not be there, and returns what was different.
// Runs on one directory take turns. All files are written beside the old ones first and take their
// places when the last one is complete. An error and the end of ctx leave everything as it was.
// Files that are not as the last run has written them are an error, a *ForeignError, unless they
// are to be overwritten. After a run that was killed, the next Update first brings back the files
// that were there before it. Files with secrets below tftp/ become o.Owner's, and tftp/secrets too,
// with mode 0700.
func Update(ctx context.Context, dir string, files []File, o Options) (changes []Change, err error) {
	var g gate
	release, err := outfile.Register(ctx, g.takeBack)
	if err != nil {
		return nil, fmt.Errorf("write to %s: %w", dir, err)
	}
	defer release()
	unlock, err := outfile.LockDir(ctx, dir, lockName, o.Waiting)
	if err != nil {
		return nil, fmt.Errorf("write to %s: %w", dir, err)
	}
	defer unlock()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("write to %s: %w", dir, err)
	}
	defer root.Close()
	d := g.open(rootDisk{root}, unlock)
	if err := takeBack(d); err != nil {
		return nil, fmt.Errorf("bring back what was in %s before a run that was cut off: %w", dir, err)
	}
	if changes, err = compare(dir, files); err != nil {
		return nil, err
	}
	if err := foreign(dir, changes); err != nil && !o.Overwrite {
		return nil, err
	}
	if err := apply(ctx, d, changes, o.Owner); err != nil {
		return nil, fmt.Errorf("write to %s: %w", dir, err)
	}
	if err := giveSecrets(d, files, o.Owner); err != nil {
		return nil, fmt.Errorf("write to %s: %w", dir, err)
	}
	return shown(changes), nil
}

// apply makes the changes. New files with secrets are owner's.
func apply(ctx context.Context, d disk, changes []Change, owner Owner) error {
	if len(changes) == 0 {
		return nil
	}
	entries, err := journalOf(d, changes)
	if err != nil {
		return err
	}
	err = prepare(ctx, d, changes, owner, entries)
	if err == nil {
		err = replace(d, entries)
	}
	if err != nil {
		if left := takeBack(d); left != nil {
			return fmt.Errorf("%w; the next run brings back what was there: %w", err, left)
		}
		return err
	}
	if err := takeBack(d); err != nil { // from the last stage on that is to remove the old files
		return fmt.Errorf("remove old files, the new ones are in place: %w", err)
	}
	return nil
}

// prepare makes everything that can be made beside what is there.
func prepare(ctx context.Context, d disk, changes []Change, owner Owner, entries []entry) error {
	if err := d.write(preparing, journalText(entries), attr{mode: 0o600}); err != nil {
		return err
	}
	if err := errors.Join(d.sync(preparing), d.sync(".")); err != nil {
		return err
	}
	for _, e := range entries {
		if e.kind != directory {
			continue
		}
		mode := fs.FileMode(0o755)
		if e.path == secretsDir && slices.ContainsFunc(changes, func(c Change) bool { return c.File.isImage() }) {
			mode = 0o700
		}
		if err := d.mkdir(e.path, mode); err != nil {
			return err
		}
	}
	for _, c := range changes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.prepare(d, owner); err != nil {
			return err
		}
	}
	return errors.Join(ctx.Err(), syncParents(d, entries))
}

// prepare writes the new file, and keeps the old one under another name.
func (c Change) prepare(d disk, owner Owner) error {
	name := c.File.Path
	if c.Kind == "removed" {
		return d.remove(name + replaced)
	}
	a := attr{mode: c.File.mode(), like: name}
	if c.File.isSent() {
		a.owner = owner
	}
	if err := d.write(name+temporary, c.File.Data, a); err != nil {
		return err
	}
	if err := d.sync(name + temporary); err != nil {
		return err
	}
	if c.Kind == "changed" {
		return d.link(name, name+replaced)
	}
	return d.remove(name + replaced)
}

// replace puts all new files in the places of old ones. It does not look at a context, so that what
// servers read in between is for a moment only.
func replace(d disk, entries []entry) error {
	if err := errors.Join(d.rename(preparing, switching), d.sync(".")); err != nil {
		return err
	}
	for _, e := range entries {
		var err error
		switch e.kind {
		case "removed":
			err = d.rename(e.path, e.path+replaced)
		case "new", "changed":
			err = d.rename(e.path+temporary, e.path)
		}
		if err != nil {
			return err
		}
	}
	if err := syncParents(d, entries); err != nil {
		return err
	}
	return d.rename(switching, switched)
}
