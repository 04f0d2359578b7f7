package images

import (
	"path/filepath"
	"testing"
)

// What stands in a directory of the host comes onto the disk, and a file there can be replaced,
// also one that is not at the top.
func TestDirectoryAndReplaceFile(t *testing.T) {
	dir := t.TempDir()
	if err := (Tree{"etc/fstab": Text("old\n"), "bin/tool": Script("#!/bin/sh\n")}).write(dir); err != nil {
		t.Fatal(err)
	}
	d, err := WriteDisk(filepath.Join(t.TempDir(), "disk"), Filesystem{MiB: 8, Directory: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.ReplaceFile(1, "/etc/fstab", "new\n"); err != nil {
		t.Fatal(err)
	}
	if err := d.AddFile(1, "/etc/added", "more\n"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"/etc/fstab": "new\n", "/etc/added": "more\n", "/bin/tool": "#!/bin/sh\n"} {
		if got, err := d.ReadFile(1, name); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if err := d.Check(1); err != nil {
		t.Error(err)
	}
	if err := d.ReplaceFile(1, "/etc/missing/file", ""); err == nil {
		t.Error("a file in a missing directory: no error")
	}
}
