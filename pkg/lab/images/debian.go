package images

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

// DebianPassword is root's password in every [DebianRoot], and DebianHost the name such a machine
// calls itself.
const (
	DebianPassword = "iscsiroot"
	DebianHost     = "diskless"
)

// DebianRoot is the directory with the root of a whole Debian system, which scripts/deps.sh made
// with debootstrap: "systemd" or "sysvinit", with a getty on the serial console, the modules of the
// kernel "amd64", and a file system with the label root in its fstab. All use the same directory:
// it is for [Filesystem.Directory], not for writing. A missing one is a [deps.ErrNotCached].
func DebianRoot(kind string) (string, error) {
	return deps.Find("debian "+kind, filepath.Join("debian", kind, "root"))
}

// ReplaceFile gives a file of the file system in a partition another content, owned by root and
// with mode 0644. The image may not be in use.
func (d *Disk) ReplaceFile(partition int, name, content string) error {
	if err := d.writeFile(partition, name, content, true); err != nil {
		return fmt.Errorf("replace %s on %s: %w", name, d.Path, err)
	}
	return nil
}

// AddFile makes a new file in an existing directory; [Disk.ReplaceFile] is for an existing file.
func (d *Disk) AddFile(partition int, name, content string) error {
	if err := d.writeFile(partition, name, content, false); err != nil {
		return fmt.Errorf("add %s to %s: %w", name, d.Path, err)
	}
	return nil
}

func (d *Disk) writeFile(partition int, name, content string, remove bool) error {
	at, err := d.at(partition)
	if err != nil {
		return err
	}
	if err := checkName(name); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "iscsiroot-replace-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	source, commands := filepath.Join(work, "content"), filepath.Join(work, "commands")
	if err := os.WriteFile(source, []byte(content), 0o644); err != nil {
		return err
	}
	dir, base := path.Dir(path.Join("/", name)), path.Base(name)
	script := fmt.Sprintf("cd \"%s\"\n", dir)
	if remove {
		script += fmt.Sprintf("rm \"%s\"\n", base)
	}
	script += fmt.Sprintf("write %s \"%s\"\n", source, base)
	if err := os.WriteFile(commands, []byte(script), 0o600); err != nil {
		return err
	}
	_, err = runTool("debugfs", "-w", "-f", commands, at)
	return err
}
