package udevdb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write writes the records below run, which is /run, and the rules if there are any. Each file
// appears whole or not at all. After an error the others are still written.
func Write(run string, records []Record, rules string) error {
	var errs []error
	for _, r := range records {
		text, err := r.Text()
		if err == nil {
			err = replace(filepath.Join(run, r.Path()), text)
		}
		errs = append(errs, err)
	}
	if rules != "" {
		errs = append(errs, replace(filepath.Join(run, rulesPath), rules))
	}
	return errors.Join(errs...)
}

// Clear removes the records of block devices and the rules that an earlier Write wrote below run:
// another device may have the number of one that is gone. It is for the time before udev runs.
func Clear(run string) error {
	files, _ := filepath.Glob(filepath.Join(run, dataDir, "b*")) // no bad pattern
	var errs []error
	for _, name := range append(files, filepath.Join(run, rulesPath), filepath.Join(run, mapRulesPath)) {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove an old file for udev: %w", err))
		}
	}
	return errors.Join(errs...)
}

// replace writes beside the file first. udev reads no file in data whose name begins with a dot,
// and none in rules.d that does not end as its rules do (src/basic/conf-files.c).
func replace(path, text string) error {
	const dirMode, fileMode = 0o755, 0o644
	dir, name := filepath.Split(path)
	beside := filepath.Join(dir, ".#"+name+".new")
	err := os.MkdirAll(dir, dirMode)
	if err == nil {
		err = os.WriteFile(beside, []byte(text), fileMode)
	}
	if err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		_ = os.Remove(beside)
		return fmt.Errorf("write for udev: %w", err)
	}
	return nil
}
