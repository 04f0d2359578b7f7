package agent

import (
	"errors"
	"io/fs"
	"os"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// reportFile is the state of the status file.
type reportFile struct {
	failed  bool // the last write failed, and that was logged
	noStale bool // there is no stale report
}

// write replaces the report. If it cannot be written, the old one is marked as stale by another
// name; that is logged once, until a write succeeds.
func (r *reportFile) write(path, text string, log recovery.Logger) {
	err := replace(path, text)
	if err == nil {
		r.failed = false
		if !r.noStale {
			_ = os.Remove(path + runstate.StaleSuffix)
		}
		r.noStale = true
		return
	}
	r.noStale = false
	if serr := markStale(path); serr != nil {
		err = errors.Join(err, serr)
	}
	if !r.failed {
		log.Warnf("agent: %v: status shows an old report until it can be written", err)
	}
	r.failed = true
}

// markStale marks a report as stale. A tmpfs that is full has room for another name, and none for
// another byte.
func markStale(path string) error {
	err := os.Rename(path, path+runstate.StaleSuffix)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, os.Remove(path))
}

// replace writes a file as a whole, or leaves it as it was.
func replace(path, text string) error {
	beside := path + ".new"
	err := os.WriteFile(beside, []byte(text), 0o644)
	if err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		_ = os.Remove(beside)
	}
	return err
}
