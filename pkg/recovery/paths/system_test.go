package paths

import (
	"os"
	"path/filepath"
	"testing"
)

// A sector is read whole.
func TestReadSector(t *testing.T) {
	dev := t.TempDir()
	for name, size := range map[string]int{"whole": 4096, "short": 512} {
		if err := os.WriteFile(filepath.Join(dev, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := ReadSector(dev)
	for name, ok := range map[string]bool{"whole": true, "short": false, "none": false} {
		if err := read(name); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
