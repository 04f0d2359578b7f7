package images

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

// makeFAT writes the FAT file system into the image at offset. Nothing is mounted.
func (f Filesystem) makeFAT(image string, offset int64) error {
	if f.Directory != "" || f.UUID != "" {
		return fmt.Errorf("vfat from a directory or with a UUID: %w", errors.ErrUnsupported)
	}
	all, names, err := f.Tree.complete()
	if err != nil {
		return err
	}
	start := strconv.FormatInt(offset/sectorSize, 10)
	args := []string{"--invariant", "--offset=" + start, "-h", start}
	if f.Label != "" {
		args = append(args, "-n", f.Label)
	}
	if _, err := runTool("mkfs.vfat", append(args, image, strconv.FormatInt(f.size()>>10, 10))...); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "iscsiroot-fat-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, name := range names {
		if err := all[name].copyToFAT(filepath.Join(work, "file"), name, fmt.Sprintf("%s@@%d", image, offset)); err != nil {
			return err
		}
	}
	return nil
}

// copyToFAT copies a file by way of the path temp into the file system that at names.
func (f File) copyToFAT(temp, name, at string) error {
	if !f.Mode.IsRegular() || strings.Contains(name, "/") {
		return fmt.Errorf("vfat: %s: not a regular file in the root directory: %w", name, errors.ErrUnsupported)
	}
	if err := f.writeContent(temp); err != nil {
		return err
	}
	defer os.Remove(temp)
	mcopy, err := deps.BootFile("mcopy")
	if err != nil {
		return err
	}
	return runBootTool(mcopy, "-i", at, temp, "::"+name)
}

// runBootTool runs a program that scripts/deps.sh unpacked, and that may run others beside it.
func runBootTool(program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// InstallSyslinux makes a disk bootable: its first partition, which is vfat and holds a
// syslinux.cfg, becomes the active one and gets SYSLINUX; the first sector gets the program that
// starts it.
func (d *Disk) InstallSyslinux() error {
	if err := d.installSyslinux(); err != nil {
		return fmt.Errorf("install syslinux on %s: %w", d.Path, err)
	}
	return nil
}

func (d *Disk) installSyslinux() error {
	if _, err := d.at(1); err != nil {
		return err
	}
	installer, err := deps.BootFile("syslinux installer")
	if err != nil {
		return err
	}
	if err := runBootTool(installer, "--install", "--offset", strconv.FormatInt(d.offsets[0], 10), d.Path); err != nil {
		return err
	}
	name, err := deps.BootFile("mbr.bin")
	if err != nil {
		return err
	}
	program, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if len(program) > mbrSignature {
		return fmt.Errorf("%s: larger than %d bytes", name, mbrSignature)
	}
	f, err := os.OpenFile(d.Path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt(program, 0); err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte{mbrActive}, mbrTable); err != nil {
		return err
	}
	return f.Close()
}
