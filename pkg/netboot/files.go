package netboot

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// File is one file of a netboot server.
type File struct {
	Path   string // below the output directory
	Data   []byte
	Secret bool // holds a secret: mode 0600, and never shown
}

// mode returns the permissions of a file.
func (f File) mode() fs.FileMode {
	if f.Secret {
		return 0o600
	}
	return 0o644
}

// tree is the directory that TFTP and HTTP serve, below the output directory.
const tree = "tftp"

// Files makes all files; dir is the output directory as dnsmasq will name it.
func (r *Room) Files(dir string) ([]File, error) {
	if strings.ContainsFunc(dir, unicode.IsControl) {
		return nil, fmt.Errorf("write to %q: dnsmasq.conf cannot hold a control character: use another directory", dir)
	}
	var out []File
	add := func(name, text string, secret bool) { out = append(out, File{name, []byte(text), secret}) }
	for _, h := range r.Hosts {
		add(tree+"/pxelinux.cfg/01-"+h.dashes(), pxelinux([]Host{h}, h.Name), false)
		add(tree+"/ipxe/"+h.dashes()+".ipxe", r.ipxe(h), false)
		add(h.sanhookFile(), r.sanhook(h), h.CHAP != nil)
		add(tree+"/grub/grub.cfg-01-"+h.dashes(), grub(h), false)
		if h.CHAP == nil {
			continue
		}
		image, err := initramfs.Archive([]initramfs.File{{Path: bootspec.CredentialsPath, Mode: 0o600, Data: []byte(h.secret)}})
		if err != nil {
			return nil, fmt.Errorf("secret of host %s: %w", h.Name, err)
		}
		add(path.Join(tree, h.secretImage()), string(image), true)
	}
	add(tree+"/pxelinux.cfg/default", pxelinux(r.Hosts, ""), false)
	add(tree+"/ipxe/boot.ipxe", ipxeStart, false)
	add(tree+"/grub/grub.cfg", grubStart, false)
	add("dnsmasq.conf", r.dnsmasq(dir), false)
	add("tgt.conf", r.tgt(), r.secret())
	lio, err := r.lio()
	if err != nil {
		return nil, err
	}
	add("lio.json", lio, r.secret())
	return out, nil
}

// secret tells whether a machine has one.
func (r *Room) secret() bool {
	for _, h := range r.Hosts {
		if h.CHAP != nil {
			return true
		}
	}
	return false
}

// written stands first in each file whose format has comments.
const written = "# written by iscsiroot pxe: change the hosts file and run it again\n"
