package integration

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/netboot"
)

// hostsHead and hostsBody are a hosts file for the rig's machine. Lines between them are for the
// server, lines after them for the machine.
const (
	hostsHead = "server: 10.77.0.1\n"
	hostsBody = `hosts:
  - name: remote1
    mac: 52:54:00:77:00:01
    address: 10.77.0.2/24
    initiator: ` + initiator + `
    target: ` + targetName + `
    portals: 10.77.0.1
    kernel: vmlinuz
    initrd: initrd.img
    append: [console=ttyS0, loglevel=7]
`
)

// bootServer is the server that a machine boots from: the tree that pxe wrote, with kernel, image
// and loaders.
type bootServer struct {
	*rig

	hosts   string // the hosts file
	dir     string // that pxe wrote to
	dnsmasq *lab.Dnsmasq
}

// newBootServer writes the tree for a hosts file, with a secret if the hosts file refers to one,
// and adds the image and the loaders.
func (r *rig) newBootServer(hosts string, img image, loaders ...string) *bootServer {
	r.t.Helper()
	k, err := img.find()
	if err != nil {
		r.t.Fatal(err)
	}
	source := r.writeFile("hosts.yaml", []byte(hosts))
	if err := os.WriteFile(filepath.Join(source, "secrets"), []byte(targetName+" remote1 open-sesame-12\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	s := &bootServer{rig: r, hosts: filepath.Join(source, "hosts.yaml"), dir: filepath.Join(r.openDir(), "netboot")}
	pxe(r.t, s.hosts, s.dir)
	s.put("vmlinuz", k.Image)
	img.packed = true
	s.put("initrd.img", img.build(r.t))
	for _, name := range loaders {
		file, err := deps.BootFile(name)
		if err != nil {
			r.t.Fatal(err)
		}
		s.put(name, file)
	}
	return s
}

// pxe writes what the command iscsiroot pxe writes, readable for a TFTP server that runs as another
// user.
func pxe(t testing.TB, hosts, dir string) {
	t.Helper()
	room, err := netboot.Read(hosts)
	if err != nil {
		t.Fatal(err)
	}
	files, err := room.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	owner, msg, err := netboot.TFTPOwner(dir, "nobody", files)
	if err != nil || msg != "" {
		t.Fatal(msg, err)
	}
	if _, err := netboot.Update(t.Context(), dir, files, netboot.Options{Owner: owner, Waiting: func() {}}); err != nil {
		t.Fatal(err)
	}
}

func (s *bootServer) tree() string { return filepath.Join(s.dir, "tftp") }

// openDir is a new directory that every user can read, unlike t.TempDir.
func (r *rig) openDir() string {
	r.t.Helper()
	dir, err := os.MkdirTemp("", "iscsiroot-netboot-")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	return dir
}

// put copies a file into the tree.
func (s *bootServer) put(name, source string) {
	s.t.Helper()
	data, err := os.ReadFile(source)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.tree(), name), data, 0o644)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// write replaces a file of the tree.
func (s *bootServer) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.tree(), name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// serve starts dnsmasq with the configuration that pxe wrote, and more.
func (s *bootServer) serve(args ...string) {
	s.t.Helper()
	s.dnsmasqWith(append([]string{"--conf-file=" + filepath.Join(s.dir, "dnsmasq.conf")}, args...)...)
}

// dnsmasqWith starts dnsmasq without that configuration.
func (s *bootServer) dnsmasqWith(args ...string) {
	s.t.Helper()
	d, err := s.ns.StartDnsmasq(s.ctx, append([]string{"--interface=" + s.tap.Name()}, args...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.dnsmasq = d
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("dnsmasq:\n%s", d.Log())
		}
	})
}

// httpFrom serves a directory by HTTP.
func (s *bootServer) httpFrom(dir string) *lab.HTTP {
	s.t.Helper()
	h, err := s.ns.StartHTTP(netip.MustParseAddrPort("10.77.0.1:80"), dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// powerOn starts the machine: firmware, loader, kernel come from the network.
func (s *bootServer) powerOn(c lab.MachineConfig) *lab.Machine {
	s.t.Helper()
	for i := range c.NICs {
		c.NICs[i].Tap = s.tap
	}
	m, err := s.ns.StartMachine(s.ctx, c)
	if err != nil {
		s.t.Fatal(err)
	}
	times.watch(s.t, m)
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("console:\n%s", m.Output())
		}
	})
	return m
}

// pc is a machine that boots from the ROM of its only NIC.
func pc(model string) lab.MachineConfig {
	return lab.MachineConfig{NICs: []lab.NIC{{Model: model}}, Args: []string{"-boot", "n"}}
}
