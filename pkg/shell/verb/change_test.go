package verb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
)

// TestMain runs the tests in namespaces of their own, with the usual umask.
func TestMain(m *testing.M) {
	unix.Umask(0o022)
	nstest.Main(m)
}

// inNamespaces runs f in a process with a network and mounts of its own, with an empty directory.
func inNamespaces(t *testing.T, f func(dir string)) {
	t.Helper()
	nstest.Run(t, syscall.CLONE_NEWNET|syscall.CLONE_NEWNS, func() { f(t.TempDir()) })
}

// does runs a verb that writes nothing and succeeds.
func does(t *testing.T, dir, command string) {
	t.Helper()
	if out, err := run(t, dir, "", strings.Fields(command)...); err != nil || out != "" {
		t.Errorf("%s: wrote %q, error %v", command, out, err)
	}
}

// fails runs a verb that fails for a cause.
func fails(t *testing.T, dir, command string, cause error) {
	t.Helper()
	if _, err := run(t, dir, "", strings.Fields(command)...); !errors.Is(err, cause) {
		t.Errorf("%s: error %v, want %v", command, err, cause)
	}
}

// has compares what the kernel has, in order, with what is wanted.
func has(t *testing.T, after string, got []string, err error, want ...string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("after %s: the kernel has %q, want %q (error %v)", after, got, want, err)
	}
}

// addresses are those of a link, without those that the kernel sets by itself.
func addresses(t *testing.T, name string) ([]string, error) {
	t.Helper()
	list, err := netlink.AddrList(linkOf(t, name), netlink.FAMILY_ALL)
	var out []string
	for _, a := range list {
		if !a.IP.IsLinkLocalUnicast() {
			out = append(out, a.IPNet.String())
		}
	}
	return out, err
}

func linkOf(t *testing.T, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// routes are those of IPv4 that the kernel did not make by itself.
func routes() ([]string, error) {
	list, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	var out []string
	for _, r := range list {
		if r.Protocol != unix.RTPROT_KERNEL {
			out = append(out, fmt.Sprintf("%v via %v link %d", r.Dst, r.Gw, r.LinkIndex))
		}
	}
	return out, err
}

// The kernel has the addresses, routes and links of the commands of ip.
func TestIPChanges(t *testing.T) {
	inNamespaces(t, func(string) {
		la := netlink.NewLinkAttrs()
		la.Name = "v0"
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: "v1"}); err != nil {
			t.Fatal(err)
		}
		does(t, "/", "ip link set v1 up")
		does(t, "/", "ip link set dev v0 mtu 1400 up")
		if a := linkOf(t, "v0").Attrs(); a.MTU != 1400 || a.RawFlags&unix.IFF_UP == 0 {
			t.Errorf("v0 has MTU %d and flags %#x, want 1400 and up", a.MTU, a.RawFlags)
		}

		does(t, "/", "ip addr add 10.9.0.2/24 dev v0")
		does(t, "/", "ip a a fd09::2/64 dev v0")
		got, err := addresses(t, "v0")
		has(t, "ip addr add", got, err, "10.9.0.2/24", "fd09::2/64")
		fails(t, "/", "ip addr add 10.9.0.2/24 dev v0", unix.EEXIST)
		if out, err := run(t, "/", "", "ip", "-6", "addr", "show", "v0"); err != nil || !strings.Contains(out, "inet6 fd09::2/64 scope global\n") || strings.Contains(out, "10.9.0.2") {
			t.Errorf("ip -6 addr show: %q, %v", out, err)
		}

		index := linkOf(t, "v0").Attrs().Index
		does(t, "/", "ip route add 10.8.0.7/16 via 10.9.0.1")
		does(t, "/", "ip route add default via 10.9.0.1 dev v0")
		toNet, byDefault := fmt.Sprintf("10.8.0.0/16 via 10.9.0.1 link %d", index), fmt.Sprintf("0.0.0.0/0 via 10.9.0.1 link %d", index)
		got, err = routes()
		has(t, "ip route add", got, err, toNet, byDefault)
		fails(t, "/", "ip route add 10.8.0.0/16 via 10.9.0.1", unix.EEXIST)
		fails(t, "/", "ip route add 10.7.0.0/16 via 10.6.0.1", unix.ENETUNREACH)
		does(t, "/", "ip route replace 10.8.0.0/16 via 10.9.0.3")
		does(t, "/", "ip route del default")
		got, err = routes()
		has(t, "ip route replace and del", got, err, strings.Replace(toNet, "9.0.1 ", "9.0.3 ", 1))
		fails(t, "/", "ip route del default", unix.ESRCH)
		if out, err := run(t, "/", "", "ip", "-4", "route"); err != nil || !strings.Contains(out, "10.8.0.0/16 via 10.9.0.3 dev v0\n") {
			t.Errorf("ip route: %q, %v", out, err)
		}
		does(t, "/", "ip route del 10.8.0.0/16")
		got, err = routes()
		has(t, "ip route del", got, err)

		does(t, "/", "ip addr del fd09::2/64 dev v0")
		got, err = addresses(t, "v0")
		has(t, "ip addr del", got, err, "10.9.0.2/24")
		fails(t, "/", "ip addr del fd09::2/64 dev v0", unix.EADDRNOTAVAIL)
		does(t, "/", "ip -4 addr flush dev v0")
		got, err = addresses(t, "v0")
		has(t, "ip addr flush", got, err)
		does(t, "/", "ip link set v0 down")
		if a := linkOf(t, "v0").Attrs(); a.RawFlags&unix.IFF_UP != 0 {
			t.Errorf("v0 has flags %#x, want down", a.RawFlags)
		}
	})
}

// A default route needs no gateway to be removed, and none on a link without neighbours.
func TestIPDefaultRoute(t *testing.T) {
	inNamespaces(t, func(string) {
		la := netlink.NewLinkAttrs()
		la.Name = "v0"
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: "v1"}); err != nil {
			t.Fatal(err)
		}
		does(t, "/", "ip link set v1 up")
		does(t, "/", "ip link set v0 up")
		does(t, "/", "ip addr add fd09::2/64 dev v0")
		defaults := func(family int) (out []string, err error) {
			list, err := netlink.RouteList(nil, family)
			for _, r := range list {
				if r.Dst == nil || ones(r.Dst) == 0 {
					out = append(out, fmt.Sprintf("%v", r.Gw))
				}
			}
			return out, err
		}
		for _, tt := range []struct {
			command string
			v4, v6  []string
		}{
			{"ip route add default dev v0", []string{"<nil>"}, nil},
			{"ip route add default via fd09::1", []string{"<nil>"}, []string{"fd09::1"}},
			{"ip route del default", nil, []string{"fd09::1"}},
			{"ip -6 route del default", nil, nil},
		} {
			does(t, "/", tt.command)
			got, err := defaults(netlink.FAMILY_V4)
			has(t, tt.command, got, err, tt.v4...)
			got, err = defaults(netlink.FAMILY_V6)
			has(t, tt.command, got, err, tt.v6...)
		}
	})
}

// ip neigh shows the kernel's neighbours, and flush leaves permanent entries.
func TestIPNeighbours(t *testing.T) {
	inNamespaces(t, func(string) {
		la := netlink.NewLinkAttrs()
		la.Name = "v0"
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: "v1"}); err != nil {
			t.Fatal(err)
		}
		does(t, "/", "ip link set v1 up")
		does(t, "/", "ip link set v0 up")
		for ip, state := range map[string]int{"10.9.0.7": netlink.NUD_STALE, "10.9.0.8": netlink.NUD_PERMANENT} {
			addr, err := netlink.ParseAddr(ip + "/32")
			if err != nil {
				t.Fatal(err)
			}
			if err := netlink.NeighAdd(&netlink.Neigh{
				LinkIndex: linkOf(t, "v0").Attrs().Index, Family: netlink.FAMILY_V4, State: state, IP: addr.IP, HardwareAddr: []byte{2, 0, 0, 0, 0, 7},
			}); err != nil {
				t.Fatal(err)
			}
		}
		stale, permanent := "10.9.0.7 dev v0 lladdr 02:00:00:00:00:07 STALE\n", "10.9.0.8 dev v0 lladdr 02:00:00:00:00:07 PERMANENT\n"
		out, err := run(t, "/", "", "ip", "-4", "neigh")
		if err != nil || !strings.Contains(out, stale) || !strings.Contains(out, permanent) {
			t.Errorf("ip neigh: %q, %v", out, err)
		}
		does(t, "/", "ip -4 neigh flush dev v0")
		out, err = run(t, "/", "", "ip", "-4", "neigh")
		if err != nil || strings.Contains(out, stale) || !strings.Contains(out, permanent) {
			t.Errorf("ip neigh after flush: %q, %v", out, err)
		}
	})
}

// mounted returns the type and the options of what is mounted on a directory, one for each mount.
func mounted(t *testing.T, dir string) []string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[1] == dir {
			out = append(out, f[2]+" "+f[3])
		}
	}
	return out
}

// The kernel has the mounts of the commands of mount, with their options, until umount.
func TestMounts(t *testing.T) {
	inNamespaces(t, func(dir string) {
		at := filepath.Join(dir, "new", "t")
		does(t, dir, "mount -t tmpfs -o size=1m,nosuid none new/t")
		if m := mounted(t, at); len(m) != 1 || !strings.HasPrefix(m[0], "tmpfs rw,nosuid,") || !strings.Contains(m[0], "size=1024k") {
			t.Errorf("on new/t: %q", m)
		}
		file := filepath.Join(at, "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		does(t, dir, "mount -B new/t bound")
		if _, err := os.Stat(filepath.Join(dir, "bound", "file")); err != nil {
			t.Errorf("the bound directory: %v", err)
		}
		other := filepath.Join(dir, "other")
		if err := os.WriteFile(other, []byte("other"), 0o600); err != nil {
			t.Fatal(err)
		}
		does(t, dir, "mount -B other new/t/file")
		if b, err := os.ReadFile(file); string(b) != "other" {
			t.Errorf("the bound file: %q, %v", b, err)
		}
		does(t, dir, "umount new/t/file")
		does(t, dir, "mount -o remount,ro new/t")
		if err := os.WriteFile(file, nil, 0o600); !errors.Is(err, unix.EROFS) {
			t.Errorf("write to what was mounted read-only: %v", err)
		}
		does(t, dir, "mount -r -t tmpfs none new/t") // on top
		if m := mounted(t, at); len(m) != 2 || !strings.HasPrefix(m[1], "tmpfs ro,") {
			t.Errorf("on new/t twice: %q", m)
		}
		does(t, dir, "umount new/t bound")
		if m := append(mounted(t, at), mounted(t, filepath.Join(dir, "bound"))...); len(m) != 1 {
			t.Errorf("after umount: %q", m)
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		fails(t, dir, "umount new/t", unix.EBUSY)
		does(t, dir, "umount -l new/t")
		_ = f.Close()
		fails(t, dir, "umount new/t", unix.EINVAL)
		fails(t, dir, "mount -o remount,rw new/t", unix.EINVAL)
	})
}

// Without -t a device is mounted with the type of its superblock.
func TestMountProbes(t *testing.T) {
	inNamespaces(t, func(dir string) {
		superblock, err := os.ReadFile("../../blockdev/testdata/ext4.sb")
		if err != nil {
			t.Fatal(err)
		}
		image := filepath.Join(dir, "image")
		if err := errors.Join(os.WriteFile(image, superblock, 0o600), os.Truncate(image, 16<<20)); err != nil {
			t.Fatal(err)
		}
		refusal := unix.ENOTBLK
		if nstest.User() {
			refusal = unix.EPERM // no user mounts an ext4
		}
		fails(t, dir, "mount image here", refusal) // the probe is done by then
		_, err = run(t, dir, "", "mount", "image", "here")
		checkErr(t, "mount image here", err, "image on "+dir+"/here as ext4: ")
		if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = run(t, dir, "", "mount", "image", "here")
		checkErr(t, "mount of nothing known", err, ": name it with -t TYPE")
	})
}

// modprobe and insmod pass modules to the kernel, dependencies first: the kernel refuses files that
// are not modules, or all modules.
func TestModprobe(t *testing.T) {
	inNamespaces(t, func(dir string) {
		release, err := modload.Release()
		if err != nil {
			t.Fatal(err)
		}
		tree := filepath.Join(dir, "lib/modules", release)
		if err := os.MkdirAll(tree, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"base.ko": "no module", "left.ko": "no module either", "modules.dep": "left.ko: base.ko\nbase.ko:\n",
			"modules.builtin": "kernel/inside.ko\n", "modules.alias": "alias pci:v00008086* left\n",
		} {
			if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		host, err := os.Open("/")
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Chroot(dir); err != nil {
			t.Fatal(err)
		}
		defer func() { // where go test -cover has the process write its counts
			if err := errors.Join(host.Chdir(), unix.Chroot(".")); err != nil {
				t.Error(err)
			}
		}()
		refused := func(command, module string) {
			t.Helper()
			_, err := run(t, "/lib/modules/"+release, "", strings.Fields(command)...)
			if !errors.Is(err, unix.ENOEXEC) && !errors.Is(err, unix.ENOSYS) || !strings.Contains(err.Error(), module) {
				t.Errorf("%s: error %v, want the kernel's word on %s", command, err, module)
			}
		}
		refused("modprobe base", "base")
		refused("modprobe left", "base")
		refused("modprobe pci:v00008086d0000100E", "base")
		refused("insmod left.ko x=1", "left.ko")
		does(t, "/", "modprobe inside")
		var missing *modload.MissingError
		if _, err := run(t, "/", "", "modprobe", "nosuch"); !errors.As(err, &missing) {
			t.Errorf("modprobe nosuch: error %v, want a *modload.MissingError", err)
		}
		names := imageModules()
		if slices.Sort(names); !slices.Equal(names, []string{"base", "left"}) {
			t.Errorf("modules to complete: %q", names)
		}
	})
}
