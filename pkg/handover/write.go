package handover

import (
	"errors"
	"os"
	"path/filepath"
)

// Write writes the files below dir, which is /run, with the directories they need. After an error
// the others are still written.
func Write(dir string, files []File) error {
	var errs []error
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(f.Content), f.Mode)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
