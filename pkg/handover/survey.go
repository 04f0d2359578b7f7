package handover

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/regular"
)

// Limits of what is read from root, which is not trusted.
const (
	maxFiles = 256       // of each directory
	maxFile  = 256 << 10 // bytes of one file
)

// Where systemd-networkd, netplan and ifupdown look for files; /run is still ours.
var (
	networkDirs = []string{"etc/systemd/network", "usr/local/lib/systemd/network", "usr/lib/systemd/network", "lib/systemd/network"}
	netplanDirs = []string{"etc/netplan", "usr/lib/netplan", "lib/netplan"}
	ifupDir     = "etc/network/interfaces.d"
	ifupFile    = "etc/network/interfaces"
)

// Survey reads of the network configuration in the real system what Files needs. A missing
// directory is treated as empty; other errors are returned with what could be read.
func Survey(root fs.FS) (Root, error) {
	var r Root
	var errs []error
	var err error
	r.Networks, r.Ports, err = networkFiles(root)
	errs = append(errs, err)
	r.Netplan, r.NetplanPorts, err = netplanFiles(root)
	errs = append(errs, err)
	names, err := list(root, ifupDir, "")
	errs = append(errs, err)
	for i := range names {
		names[i] = path.Join(ifupDir, names[i])
	}
	for _, name := range append(names, ifupFile) {
		text, err := read(root, name)
		errs = append(errs, err)
		r.Interfaces = append(r.Interfaces, interfaces(text)...)
	}
	return r, errors.Join(errs...)
}

// list returns the names in dir with the suffix.
func list(root fs.FS, dir, suffix string) ([]string, error) {
	entries, err := fs.ReadDir(root, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, suffix) && len(names) < maxFiles {
			names = append(names, name)
		}
	}
	return names, nil
}

// read returns the text of a file; that of one that is not there, or is a directory, is empty.
func read(root fs.FS, name string) (string, error) {
	b, err := regular.Read(root, name, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, regular.ErrNotRegular):
		return "", nil
	case errors.Is(err, regular.ErrTooLarge):
		err = fmt.Errorf("read %s: larger than %d KiB", name, maxFile>>10)
	}
	return string(b), err
}

// plain reports whether an id can be part of a file's name: netplan writes no file for others.
func plain(id string) bool {
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
	}
	return id != "" && id[0] != '.' && len(id) <= 64 && strings.IndexFunc(id, func(r rune) bool { return !ok(r) }) < 0
}
