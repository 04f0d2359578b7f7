package images

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Filesystem is an ext2, ext3, ext4 or FAT file system to be made.
type Filesystem struct {
	// Type is "ext2", "ext3", "ext4" or "vfat", which keeps names and contents of regular files
	// only; ext4 if empty.
	Type string
	// MiB is its size.
	MiB int
	// Label and UUID are what LABEL= and UUID= find. Equal UUIDs and trees make equal bytes;
	// empty: a random one.
	Label, UUID string
	// Tree is its content.
	Tree Tree
	// Directory of the host is its content instead, with owners, times and all, if it is not
	// empty.
	Directory string
}

func (f Filesystem) size() int64 { return int64(f.MiB) * mib }

// Sum is a checksum of what the file system is made of, in hex. A Directory is not read for it:
// [errors.ErrUnsupported].
func (f Filesystem) Sum() (string, error) {
	if f.Directory != "" {
		return "", fmt.Errorf("sum of a directory: %w", errors.ErrUnsupported)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %q %q\n", f.Type, f.MiB, f.Label, f.UUID)
	if err := writeInitrd(h, f.Tree); err != nil {
		return "", fmt.Errorf("sum of a file system: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Make writes the file system into the image, which exists, at offset in bytes. Its files belong to
// the caller if that is not root of a user namespace.
func (f Filesystem) Make(image string, offset int64) error {
	if f.MiB <= 0 {
		return fmt.Errorf("size %d MiB: %w", f.MiB, errors.ErrUnsupported)
	}
	if f.Type == "vfat" {
		return f.makeFAT(image, offset)
	}
	if !slices.Contains([]string{"", "ext2", "ext3", "ext4"}, f.Type) { // mke2fs makes something of any name
		return fmt.Errorf("type %s: %w", f.Type, errors.ErrUnsupported)
	}
	if f.Directory != "" {
		_, err := runTool("mke2fs", f.args(f.Directory, image, offset)...)
		return err
	}
	work, err := os.MkdirTemp("", "iscsiroot-tree-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	staging := filepath.Join(work, "root")
	if err := os.Mkdir(staging, 0o755); err != nil {
		return err
	}
	if err := f.Tree.write(staging); err != nil {
		return err
	}
	if _, err = runTool("mke2fs", f.args(staging, image, offset)...); err != nil {
		return err
	}
	return f.stamp(filepath.Join(work, "commands"), image, offset)
}

// stamp makes the device nodes, which root alone could stage, and sets the times: those of the
// change of the inode and of the last reading are the staging directory's own otherwise.
func (f Filesystem) stamp(commands, image string, offset int64) error {
	all, names, err := f.Tree.complete()
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
		if file := all[name]; file.isDevice() {
			fmt.Fprintf(&b, "cd \"%s\"\nmknod \"%s\" %s\n", path.Join("/", path.Dir(name)), path.Base(name), file.debugfsDevice())
			fmt.Fprintf(&b, "set_inode_field \"%s\" mode 0%o\n", path.Join("/", name), file.deviceMode()|uint32(file.Mode.Perm()))
		}
	}
	for _, name := range append(names, ".") {
		for _, field := range []string{"ctime", "atime", "mtime"} {
			fmt.Fprintf(&b, "set_inode_field \"%s\" %s @%d\n", path.Join("/", name), field, treeTime().Unix())
		}
	}
	if err := os.WriteFile(commands, []byte(b.String()), 0o600); err != nil {
		return err
	}
	_, err = runTool("debugfs", "-w", "-f", commands, fmt.Sprintf("%s?offset=%d", image, offset))
	return err
}

func (f Filesystem) args(staging, image string, offset int64) []string {
	kind := f.Type
	if kind == "" {
		kind = "ext4"
	}
	extended := "root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0"
	if offset > 0 {
		extended += ",offset=" + strconv.FormatInt(offset, 10)
	}
	args := []string{"-q", "-F", "-t", kind, "-m", "0", "-d", staging, "-L", f.Label}
	if f.UUID != "" {
		args = append(args, "-U", f.UUID)
		extended += ",hash_seed=" + f.UUID
	}
	return append(args, "-E", extended, image, fmt.Sprintf("%dk", f.size()>>10))
}

// ReadFile reads a file of the file system in a partition; partition 0 is that of a disk without a
// table. The image may not be mounted by a running machine.
func (d *Disk) ReadFile(partition int, name string) ([]byte, error) {
	content, err := d.readFile(partition, name)
	if err != nil {
		return nil, fmt.Errorf("read %s from %s: %w", name, d.Path, err)
	}
	return content, nil
}

func (d *Disk) readFile(partition int, name string) ([]byte, error) {
	at, err := d.at(partition)
	if err != nil {
		return nil, err
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	dump, err := os.CreateTemp("", "iscsiroot-dump-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(dump.Name())
	if err := dump.Close(); err != nil {
		return nil, err
	}
	// -c: without the block bitmaps, which an unclean file system may have wrong.
	if _, err := runTool("debugfs", "-c", "-R", fmt.Sprintf("dump \"%s\" %s", path.Join("/", name), dump.Name()), at); err != nil {
		return nil, err
	}
	return os.ReadFile(dump.Name())
}

// Check runs e2fsck on a partition's file system and changes nothing. An error means that there is
// something to repair, or an unplayed journal.
func (d *Disk) Check(partition int) error {
	at, err := d.at(partition)
	if err == nil {
		_, err = runTool("e2fsck", "-fn", at)
	}
	if err != nil {
		return fmt.Errorf("check %s: %w", d.Path, err)
	}
	return nil
}
