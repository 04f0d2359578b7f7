//go:build linux

package trial

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
	"github.com/iscsiroot/iscsiroot/pkg/netboot"
)

func TestMain(m *testing.M) {
	targets.Main()
	nstest.Main(m)
}

// hosts describes the machine of the tests, whose disk and web server are added later, and another
// one.
const hosts = `server: 10.1.1.1
loader: LOADER
HTTP
defaults:
  initiator: iqn.2007-01.com.example:server.{name}
  target: iqn.2007-01.com.example:storage.{name}
  portals: 10.1.1.180
  kernel: remote/vmlinuz
  initrd: remote/initrd.img
hosts:
  - name: remote1
    mac: aa:bb:cc:dd:ee:fe
    address: 10.1.1.165/24
    gateway: 10.1.1.2
    chap: secrets
  - name: remote2
    mac: aa:bb:cc:dd:ee:02
    address: 10.1.1.166/24
`

// newBench makes a bench for remote1 in a namespace of its own, with a directory as pxe and a
// person leave it. what replaces words of the hosts file.
func newBench(t *testing.T, what ...string) *bench {
	t.Helper()
	dir := t.TempDir()
	text := strings.NewReplacer(append(what, "LOADER", "pxelinux", "HTTP\n", "")...).Replace(hosts)
	image, err := initramfs.Archive([]initramfs.File{
		{Path: "lib/modules/6.1/e1000e.ko", Mode: 0o644}, {Path: "lib/modules/6.1/virtio-net.ko.xz", Mode: 0o644}, {Path: "init", Mode: 0o755},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"hosts.yaml": text, "secrets": "iqn.2007-01.com.example:storage.remote1 user \"sesame open\"\n", "disk": "the disk", "netboot/tftp/remote/vmlinuz": "kernel",
		"netboot/tftp/remote/initrd.img": string(image), "netboot/tftp/pxelinux.0": "loader", "netboot/tftp/ldlinux.c32": "library",
	} {
		at := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(data), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	room, err := netboot.Read(filepath.Join(dir, "hosts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Config: Config{Room: room, Host: "remote1", Dir: filepath.Join(dir, "netboot"), Disk: filepath.Join(dir, "disk")}, result: &Result{}}
	if b.host, err = b.Config.host(); err != nil {
		t.Fatal(err)
	}
	if b.ns, err = lab.NewNamespace(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.ns.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// The machine gets what pxe would write for it, and no other machine's, beside the kernel, the
// image and the boot loader that are there. The real directory stays as it is.
func TestTree(t *testing.T) {
	b := newBench(t)
	dir, err := b.writeTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"tftp/remote/vmlinuz": "kernel", "tftp/pxelinux.0": "loader", "tftp/ldlinux.c32": "library",
		"tftp/pxelinux.cfg/01-aa-bb-cc-dd-ee-fe": "console=ttyS0", "dnsmasq.conf": "aa:bb:cc:dd:ee:fe",
	} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "tftp/secrets/remote1.img")); err != nil || st.Mode().Perm()&0o004 == 0 {
		t.Errorf("dnsmasq cannot read the secret's image: %v, %v", st, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "tftp/pxelinux.cfg/01-aa-bb-cc-dd-ee-02")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another machine's file: %v", err)
	}
	if entries, err := os.ReadDir(b.Dir); err != nil || len(entries) != 1 || len(b.Room.Hosts) != 2 {
		t.Errorf("the real directory has %v, the room %d machines, %v", entries, len(b.Room.Hosts), err)
	}
}

// All missing files are named together, with their sources.
func TestTreeLacks(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"remote/initrd.img", "ldlinux.c32"} {
		if err := os.Remove(filepath.Join(b.Dir, "tftp", name)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.writeTree(t.Context())
	for _, want := range []string{"remote/initrd.img is not there: build it with iscsiroot build", "ldlinux.c32 is not there: copy /usr/lib"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	b = newBench(t, "LOADER", "ipxe") // is in the cards of QEMU
	if _, err := b.writeTree(t.Context()); err != nil {
		t.Errorf("without iPXE's files: %v", err)
	}
}

// The host's end of the wire has the address of each server of the machine.
func TestNetwork(t *testing.T) {
	b := newBench(t, "HTTP\n", "http: http://192.0.2.1/boot\n")
	if err := b.network(); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := b.ns.Do(func() error {
		tap, err := net.InterfaceByName(b.tap.Name())
		if err != nil {
			return err
		}
		addrs, err := tap.Addrs()
		for _, a := range addrs {
			if !strings.HasPrefix(a.String(), "fe80:") {
				got = append(got, a.String())
			}
		}
		return err
	})
	slices.Sort(got)
	if want := []string{"10.1.1.1/24", "10.1.1.180/24", "10.1.1.2/24", "192.0.2.1/32"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	b = newBench(t, "HTTP\n", "http: http://10.1.1.165/boot\n")
	if err := b.network(); err == nil || err.Error() != "10.1.1.165 is the machine's own address and a server's" {
		t.Errorf("got %v", err)
	}
}

// The tree is at its URL.
func TestServe(t *testing.T) {
	for _, path := range []string{"/boot/x", ""} {
		b := newBench(t, "HTTP\n", "http: http://10.1.1.1:8080"+path+"\n")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		tree, err := b.writeTree(t.Context())
		if err == nil {
			err = b.network()
		}
		if err == nil {
			err = b.serve(ctx, tree)
		}
		if err != nil {
			t.Fatal(err)
		}
		if text := get(ctx, t, b.ns, "http://10.1.1.1:8080"+path+"/remote/vmlinuz"); text != "kernel" {
			t.Errorf("the kernel below %q is %q", path, text)
		}
	}
}

// get loads a file over a connection made inside a namespace.
func get(ctx context.Context, t *testing.T, ns *lab.Namespace, url string) string {
	t.Helper()
	inside := func(ctx context.Context, network, address string) (net.Conn, error) {
		return dial(ctx, ns, network, address)
	}
	client := http.Client{Transport: &http.Transport{DialContext: inside, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// dial connects inside a namespace.
func dial(ctx context.Context, ns *lab.Namespace, network, address string) (conn net.Conn, err error) {
	err = ns.Do(func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// The target has a copy of the disk, or with --write the disk itself.
func TestDisk(t *testing.T) {
	b := newBench(t)
	name, err := b.disk(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("written"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(b.Disk); string(text) != "the disk" {
		t.Errorf("a write to the copy came to the disk: %q, %v", text, err)
	}
	b.Write = true
	if name, err := b.disk(t.Context()); name != b.Disk || err != nil {
		t.Errorf("with --write: %s, %v", name, err)
	}
	b = newBench(t)
	b.host.Disk += ".none"
	if _, err := b.disk(t.Context()); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "copy its disk: ") {
		t.Errorf("got %v", err)
	}
}

// The target lets the machine in by its secret, and none without.
func TestTarget(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := b.network(); err != nil {
		t.Fatal(err)
	}
	if err := b.target(ctx); err != nil {
		t.Fatal(err)
	}
	md5 := []iscsi.Algorithm{iscsi.MD5} // tgtd refuses a list with more
	right := iscsi.CHAP{User: b.host.CHAP.User, Secret: b.host.CHAP.Secret, Algorithms: md5}
	wrong := iscsi.CHAP{User: b.host.CHAP.User, Secret: iscsi.NewSecret([]byte("another secret")), Algorithms: md5}
	for _, tt := range []struct {
		chap *iscsi.CHAP
		ok   bool
	}{{&right, true}, {nil, false}, {&wrong, false}} {
		conn, err := dial(ctx, b.ns, "tcp", b.portal.String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = iscsi.Login(ctx, iscsi.NewTCPPipe(conn), iscsi.LoginConfig{
			InitiatorName: b.host.Initiator, TargetName: b.host.Target, ISID: [6]byte{0, 2, 0x3d, 0, 0, 1}, CmdSN: 1, CHAP: tt.chap,
		})
		if (err == nil) != tt.ok {
			t.Errorf("login with %v: %v", tt.chap, err)
		}
		_ = conn.Close()
	}
}

// The card is one that the image has a driver of, and that the firmware boots from.
func TestMachine(t *testing.T) {
	for _, tt := range []struct{ loader, nic, gone, want, problem string }{
		{"pxelinux", "", "", "virtio-net-pci", ""},
		{"pxelinux", "", "virtio-net", "e1000e", ""},
		{"pxelinux", "rtl8139", "", "rtl8139", ""},
		{"pxelinux", "", "e1000e virtio-net", "", "name one with --nic"},
		{"grub", "", "", "virtio-net-pci", ""},
		{"grub", "", "virtio-net", "", "it has no driver virtio_net"},
	} {
		b := newBench(t, "LOADER", tt.loader)
		b.NIC = tt.nic
		image := filepath.Join(b.Dir, "tftp/remote/initrd.img")
		text, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range strings.Fields(tt.gone) {
			text = []byte(strings.ReplaceAll(string(text), name+".ko", strings.Repeat("x", len(name)+3)))
		}
		if err := os.WriteFile(image, text, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := b.machine()
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if err != nil || m.UEFI != (tt.loader == "grub") || len(m.NICs) != 1 || m.NICs[0].Model != tt.want || m.NICs[0].MAC != "aa:bb:cc:dd:ee:fe" {
			t.Errorf("%+v: %+v, %v", tt, m, err)
		}
	}
}

// An error names the stage first, and what was seen stays in it.
func TestError(t *testing.T) {
	var err error = &Error{"kernel", context.DeadlineExceeded}
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "failed at kernel: context deadline exceeded" {
		t.Errorf("got %v", err)
	}
}
