package array

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Paths are the mount points of sysfs and of devtmpfs.
type Paths struct{ Sys, Dev string }

// Number is that of a block device.
type Number struct{ Major, Minor uint32 }

// String is the kernel's form, 8:1.
func (n Number) String() string {
	return strconv.FormatUint(uint64(n.Major), 10) + ":" + strconv.FormatUint(uint64(n.Minor), 10)
}

var (
	errNumber = errors.New("not a device number")
	errName   = errors.New("not a name of an array")
)

func parseNumber(text string) (Number, error) {
	major, minor, ok := strings.Cut(text, ":")
	a, err := strconv.ParseUint(major, 10, 32)
	b, err2 := strconv.ParseUint(minor, 10, 32)
	if !ok || err != nil || err2 != nil {
		return Number{}, fmt.Errorf("%q: %w", text, errNumber)
	}
	return Number{uint32(a), uint32(b)}, nil
}

// maxName is the kernel's DISK_NAME_LEN without its NUL.
const maxName = 31

// checkName takes what new_array takes: md127, or md_home.
func checkName(name string) error {
	rest, ok := strings.CutPrefix(name, "md")
	n, err := strconv.ParseUint(rest, 10, 20) // MINORBITS
	numbered := err == nil && strconv.FormatUint(n, 10) == rest
	named := len(rest) > 1 && rest[0] == '_' && len(name) <= maxName && !strings.ContainsAny(name, "/!\n")
	if !ok || !numbered && !named {
		return fmt.Errorf("%q: %w", name, errName)
	}
	return nil
}

// parameter is a parameter of md_mod.
func (p Paths) parameter(name string) string {
	return filepath.Join(p.Sys, "module/md_mod/parameters", name)
}

// md is the directory of an array's attributes.
func (p Paths) md(name string) string { return filepath.Join(p.Sys, "block", name, "md") }

// readText reads an attribute without its newline.
func readText(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}

// writeText writes an attribute, in one write as sysfs needs it.
func writeText(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// gone reports whether an attribute is not there, or belongs to what the kernel is removing.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
}
