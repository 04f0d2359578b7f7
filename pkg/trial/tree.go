//go:build linux

package trial

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/netboot"
)

// writeTree writes what pxe would write for the machine into a directory of its own, and links the
// rest from the real one.
func (b *bench) writeTree(ctx context.Context) (dir string, err error) {
	room := b.room()
	dir = filepath.Join(b.ns.Dir(), "netboot")
	files, err := room.Files(dir)
	if err != nil {
		return "", err
	}
	for i := range files {
		files[i].Secret = false // the directory is private, and dnsmasq requires files that are readable for all
	}
	if _, err := netboot.Update(ctx, dir, files, netboot.Options{Waiting: func() {}}); err != nil {
		return "", err
	}
	return dir, b.link(room.Needs(), filepath.Join(dir, "tftp"))
}

// link brings what is not pxe's into the tree.
func (b *bench) link(needs []netboot.Need, tree string) error {
	var missing []error
	for _, n := range needs {
		if n.Loader && b.Room.BootLoader().InROM {
			continue
		}
		source, err := filepath.Abs(filepath.Join(b.Dir, "tftp", n.Path))
		if err != nil {
			return err
		}
		st, err := os.Stat(source)
		if err == nil && !st.Mode().IsRegular() {
			return fmt.Errorf("%s: not a regular file", source)
		}
		if err != nil {
			missing = append(missing, fmt.Errorf("%s is not there: %s", source, n.How))
			continue
		}
		link := filepath.Join(tree, n.Path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o700), os.Symlink(source, link)); err != nil {
			return err
		}
	}
	return errors.Join(missing...)
}

// room is the room with this machine alone, with its console on the serial line.
func (b *bench) room() *netboot.Room {
	room, h := *b.Room, b.host
	words := strings.Fields(h.Append)
	if slices.Contains(words, "quiet") {
		b.note("quiet is left out")
		words = slices.DeleteFunc(words, func(w string) bool { return w == "quiet" })
	}
	if !slices.Contains(words, "console=ttyS0") && !strings.Contains(h.Append, "console=ttyS0,") {
		b.note("console=ttyS0 is added")
		words = append(words, "console=ttyS0")
	}
	h.Append = strings.Join(append(words, "loglevel=7", "rd.debug"), " ")
	if _, err := webServer(room.HTTP); err != nil {
		b.note("it loads by TFTP: %v", err)
		room.HTTP = ""
	}
	room.Hosts = []netboot.Host{h}
	b.host = h
	return &room
}

func (b *bench) note(format string, args ...any) {
	b.result.Notes = append(b.result.Notes, fmt.Sprintf(format, args...))
}

// webServer returns where the tree's URL leads to.
func webServer(text string) (addr netip.AddrPort, err error) {
	if text == "" {
		return addr, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return addr, err
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	addr, err = netip.ParseAddrPort(u.Host)
	if err != nil {
		addr, err = netip.ParseAddrPort(u.Host + ":" + port)
	}
	if err != nil || u.Scheme != "http" {
		return addr, fmt.Errorf("%s is not http: with an address", text)
	}
	return addr, nil
}
