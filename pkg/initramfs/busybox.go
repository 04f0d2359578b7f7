package initramfs

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"
)

// busyboxPlaces are where distributions put busybox, below a root directory.
var busyboxPlaces = []string{"bin/busybox", "usr/bin/busybox", "sbin/busybox", "usr/sbin/busybox"}

// FindBusybox returns the path of busybox below root.
func FindBusybox(root string) (string, error) {
	for _, place := range busyboxPlaces {
		name := filepath.Join(root, place)
		if st, err := os.Stat(name); err == nil && st.Mode().IsRegular() {
			return name, nil
		}
	}
	return "", fmt.Errorf("find busybox: none of %s is below %s: install busybox-static, or name the file", strings.Join(busyboxPlaces, ", "), root)
}

// notLinked are the applets with the names of iscsiroot's own commands.
var notLinked = []string{"busybox", "init", "linuxrc", "modprobe", "insmod", "rmmod", "depmod"}

// addBusybox puts busybox into the image.
func (t tree) addBusybox(name string) error {
	if _, err := regularMode(name); err != nil {
		return err
	}
	data, err := fileContent(name)()
	if err != nil {
		return err
	}
	applets, err := busyboxApplets(data)
	if err != nil {
		return fmt.Errorf("add busybox %s: %w", name, err)
	}
	if err := t.add("bin/busybox", entry{mode: cpio.S_IFREG | 0o755, data: content(data)}); err != nil {
		return err
	}
	for _, a := range applets {
		if slices.Contains(notLinked, a) {
			continue
		}
		if err := t.add("bin/"+a, entry{mode: cpio.S_IFLNK | 0o777, data: content([]byte("busybox"))}); err != nil {
			return err
		}
	}
	return nil
}

// maxApplets bounds the list in a busybox; Debian's has 270.
const maxApplets = 1000

// busyboxApplets returns the names that a busybox goes by. It holds them sorted, each ended by a
// NUL, and the first two are "[" and "[[" (applets/applet_tables.c: applet_names). So it need not
// run here.
func busyboxApplets(data []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("no program: %w", err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, errors.New("it needs shared libraries, which are not in the image: install busybox-static")
		}
	}
	_, list, ok := bytes.Cut(data, []byte("\x00[\x00[[\x00"))
	if !ok {
		return nil, errors.New("it has no list of applets: is it busybox?")
	}
	out := []string{"[", "[["}
	for len(out) < maxApplets {
		name, rest, ok := bytes.Cut(list, []byte{0})
		if !ok || len(name) == 0 || bytes.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '/' || r > '~' }) {
			break
		}
		out, list = append(out, string(name)), rest
	}
	if !slices.Contains(out, "sh") {
		return nil, errors.New("it has no applet sh")
	}
	return out, nil
}
