package netboot

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// Read reads a description of machines from a YAML file. The error joins an *Error for each
// mistake, so that all can be mended at once. Files with secrets that it names are read too.
func Read(name string) (*Room, error) {
	data, err := initramfs.ReadRegular(name, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read hosts %s: %w", name, err)
	}
	return parse(name, data, func(file string) ([]byte, error) {
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(name), file)
		}
		return readSecret(file)
	})
}

// secretFunc returns the content of a file with secrets.
type secretFunc func(file string) ([]byte, error)

// parse reads a description.
func parse(name string, data []byte, secrets secretFunc) (*Room, error) {
	r := &reader{file: name}
	doc := r.parse(data)
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	room := &Room{Loader: loaders[0].Name}
	r.top(doc.top, room)
	r.known(doc.defaults, "", "defaults")
	if len(doc.hosts) == 0 {
		r.failf(0, "", "hosts", "there is none")
	}
	for _, s := range doc.hosts {
		h := &hostReader{reader: r, section: s, defaults: doc.defaults, secrets: secrets}
		room.Hosts = append(room.Hosts, h.host())
	}
	r.unique(doc.hosts, room.Hosts, room.Server)
	r.agree(doc.hosts, room.Hosts)
	return room, errors.Join(r.errs...)
}

// topFields are the fields beside hosts and defaults; iscsiroot-netboot(7) has them too.
var topFields = []string{"server", "http", "loader"}

// top reads the fields of the server.
func (r *reader) top(s section, room *Room) {
	for key, f := range s.fields {
		one := ""
		if len(f.list) == 1 && !f.many {
			one = f.list[0].value
		}
		switch key {
		case "server":
			addr, err := netip.ParseAddr(one)
			if err != nil {
				r.failf(f.line, "", key, "no IP address: write that of this server as the machines see it")
			} else if why := notServer(addr); why != "" {
				r.failf(f.line, "", key, "%s is %s: write the address of this server as the machines see it", addr.String(), why)
			}
			room.Server = addr
		case "http":
			if why := notTree(one); why != "" {
				r.failf(f.line, "", key, "%s: write where the tree is served, such as http://10.1.1.1/boot", message(why))
			}
			room.HTTP = strings.TrimSuffix(one, "/")
		case "loader":
			if _, ok := findLoader(one); !ok {
				r.failf(f.line, "", key, "use %s", loaderNames())
			}
			room.Loader = one
		default:
			r.failf(f.line, "", key, "%s", unknownKey(key, append(topFields, "defaults", "hosts")))
		}
	}
	if _, ok := s.fields["server"]; !ok {
		r.failf(0, "", "server", "it is not given: write the address of this server as the machines see it")
	}
}

// notTree tells why a text is not a URL below which iPXE finds the tree; empty if it is.
func notTree(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || !plain(text) || strings.Contains(text, " ") {
		return "no URL"
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	addr, noAddr := netip.ParseAddr(u.Hostname())
	switch {
	case strings.ContainsAny(text, "#?"):
		return "a URL with # or ?, behind which iPXE adds no path"
	case u.User != nil:
		return "a URL with a user, and all machines may read it"
	case u.Port() != "" && (err != nil || port == 0):
		return "a URL with a port that is not 1 to 65535"
	case noAddr == nil && notServer(addr) != "":
		return "a URL with " + notServer(addr)
	}
	return ""
}

// unknownKey says what a key might have been meant to be.
func unknownKey(key string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(k, key) || strings.HasPrefix(k, key) || strings.HasPrefix(key, k) {
			return "this key is not known: did you mean " + k + "?"
		}
	}
	return "this key is not known: use " + strings.Join(known, ", ")
}

// known sees that all keys of a section are a host's.
func (r *reader) known(s section, host, what string) {
	for key, f := range s.fields {
		if !slices.Contains(hostFields, key) {
			r.failf(f.line, host, key, "%s", unknownKey(key, hostFields))
		}
		if what == "defaults" && (key == "name" || key == "mac" || key == "address") {
			r.failf(f.line, host, key, "no two hosts can have the same: write it for each")
		}
	}
}

// unique sees that no two machines take the same place.
func (r *reader) unique(sections []section, hosts []Host, server netip.Addr) {
	seen := map[string]string{}
	for i, h := range hosts {
		keys := []struct{ field, value, why string }{
			{"name", strings.ToLower(h.Name), "has it too"},
			{"mac", h.MAC, "has it too: a machine finds its files by it"},
			{"address", h.Address.Addr().String(), "has it too"},
			{"initiator", strings.ToLower(h.Initiator), "has it too: the login of one would end the other's session"},
		}
		if i < len(sections) && !isShared(sections[i]) {
			keys = append(keys, struct{ field, value, why string }{
				"target", strings.ToLower(h.Target) + " " + h.LUN.String(),
				"has it too, with the same LUN: two machines that write to one disk destroy it: add \"shared: true\" if none does",
			})
		}
		if server.IsValid() && h.Address.Addr() == server {
			r.failf(sections[i].fields["address"].line, h.Name, "address", "%s is the server's: write the machine's own", server.String())
		}
		for _, k := range keys {
			if k.value == "" || !h.Address.IsValid() || h.MAC == "" || h.Target == "" {
				continue // told already
			}
			if other, twice := seen[k.field+" "+k.value]; twice {
				line := sections[i].line
				if f, ok := sections[i].fields[k.field]; ok {
					line = f.line
				}
				r.failf(line, h.Name, k.field, "host %s %s", other, k.why)
			}
			seen[k.field+" "+k.value] = h.Name
		}
	}
}

func isShared(s section) bool {
	f, ok := s.fields["shared"]
	return ok && len(f.list) == 1 && f.list[0].value == "true"
}

// plain tells that a text means nothing special to any of the boot loaders, and is one line.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' || strings.ContainsRune("'\"\\`${}|&;<>", c) })
}

// credential finds the line for a target.
func credential(data []byte, target string) (*bootspec.Credential, string, error) {
	all, err := bootspec.ParseCredentials(data)
	if err != nil {
		return nil, "", err
	}
	lines := strings.Split(string(data), "\n")
	for _, c := range all {
		if strings.EqualFold(c.Target, target) {
			return &c, strings.TrimSpace(lines[c.Line-1]) + "\n", nil
		}
	}
	return nil, "", fmt.Errorf("no line for target %s", target)
}
