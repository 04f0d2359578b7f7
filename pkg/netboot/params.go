package netboot

import (
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// commandLine returns the machine's kernel parameters, in the HOWTO's names and order.
func (h Host) commandLine() string {
	words := []string{
		"iscsi_i=" + h.Initiator,
		"iscsi_i_ip=" + h.Address.String(),
		"iscsi_t=" + h.Target,
		"iscsi_a=" + h.portalList(),
	}
	add := func(given bool, word string) {
		if given {
			words = append(words, word)
		}
	}
	add(h.LUN != iscsi.LUN(0), "iscsi_lun="+h.LUN.String())
	add(h.Gateway.IsValid(), "iscsi_gw="+h.Gateway.String())
	add(h.Interface != "", "iscsi_if="+h.Interface)
	add(h.Root != "", "root="+h.Root)
	add(h.Append != "", h.Append)
	return strings.Join(words, " ")
}

// portalList returns the portals as iscsi_a= takes them; a port only if it is unusual.
func (h Host) portalList() string {
	var out []string
	for _, p := range h.Portals {
		text := p.String()
		if p.Port == 0 || p.Port == bootspec.DefaultPort {
			text = p.Host
		}
		out = append(out, text)
	}
	return strings.Join(out, ",")
}

// port returns a portal's port.
func port(p bootspec.Portal) uint16 {
	if p.Port == 0 {
		return bootspec.DefaultPort
	}
	return p.Port
}

// rootPath returns the machine's disk as RFC 4173 writes it; the LUN is hexadecimal there.
func (h Host) rootPath() string {
	p := h.Portals[0]
	host := p.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	b := h.LUN.Bytes()
	lun := fmt.Sprintf("%x-%x-%x-%x", b[0:2], b[2:4], b[4:6], b[6:8])
	return fmt.Sprintf("iscsi:%s::%d:%s:%s", host, port(p), lun, h.Target)
}

// initrds returns the images that the machine loads: the common one, then its own.
func (h Host) initrds() []string {
	out := []string{h.Initrd}
	if s := h.secretImage(); s != "" {
		out = append(out, s)
	}
	return out
}

// maxSecrets bounds a file of secrets, in bytes.
const maxSecrets = bootspec.MaxCredentials

func readSecret(name string) ([]byte, error) { return initramfs.ReadSecret(name, maxSecrets) }
