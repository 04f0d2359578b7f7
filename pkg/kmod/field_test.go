package kmod

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const fieldRelease = "6.1.0-56-amd64"

// realFile is one of Debian's modules.
func realFile(t testing.TB, name string) *fstest.MapFile {
	t.Helper()
	data, err := os.ReadFile("testdata/modules/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: data}
}

// fieldTree is a tree of real files, at the paths that are the keys, with an index. Above it are
// the files with "../".
func fieldTree(t testing.TB, files, text map[string]string) fs.FS {
	t.Helper()
	tree, above := fstest.MapFS{}, fstest.MapFS{}
	for name, real := range files {
		if base, ok := strings.CutPrefix(name, "../"); ok {
			above[base] = realFile(t, real)
			continue
		}
		tree[name] = realFile(t, real)
	}
	for name, s := range text {
		tree[name] = &fstest.MapFile{Data: []byte(s)}
	}
	return WithAbove(tree, above)
}

// plan is the plan for a name, as full paths.
func plan(x *Index, name string) (string, error) {
	mods, err := x.Plan(name)
	var out []string
	for _, m := range mods {
		out = append(out, m.Path)
	}
	return strings.Join(out, " "), err
}

// A driver at any place is for Ethernet by its symbols, or by the class in its aliases.
func TestKindOfForeignDriver(t *testing.T) {
	for _, path := range []string{
		"updates/dkms/nic.ko", "updates/nic.ko", "extra/nic.ko", "weak-updates/vendor/nic.ko", "nic.ko", "extra/vendor/drivers/nic.ko",
		"updates/drivers/net/nic/nic.ko", "kernel/drivers/net/nic.ko", "kernel/drivers/net/vendor/nic.ko", "kernel/extra/nic.ko", "../nic.ko",
	} {
		dep := path + ":\n"
		if strings.HasPrefix(path, "../") {
			dep = "kernel/fs/none.ko:\n" // depmod does not look there
		}
		for file, want := range map[string]Kind{"virtio_net.ko": KindEthernet, "jbd2.ko": KindOther} {
			x, err := Open(fieldTree(t, map[string]string{path: file}, map[string]string{depFile: dep}), Options{Above: true, Release: fieldRelease})
			if err != nil {
				t.Fatal(err)
			}
			mods := x.Modules()
			m := mods[len(mods)-1]
			if m.Path != path || m.Kind() != want {
				t.Errorf("%s as %+v: %v, want %v", file, m, m.Kind(), want)
			}
		}
	}
	// The kernel's own folders determine the kind.
	for path, want := range map[string]Kind{
		"kernel/drivers/net/ethernet/x/x.ko": KindEthernet, "kernel/drivers/net/wireless/x/x.ko": KindOther,
		"kernel/drivers/scsi/x.ko": KindOther, "kernel/drivers/net/tun.ko": KindOther, "updates/drivers/net/ethernet/intel/igb/igb.ko": KindEthernet,
	} {
		x, err := Open(failing{tree(nil)}, Options{})
		if err != nil || len(x.Modules()) != 0 {
			t.Fatal(err)
		}
		if kind, sure := (Module{Name: nameOf(path), Path: path}).kindByPath(); kind != want || !sure {
			t.Errorf("%s: %v, %v", path, kind, sure)
		}
	}
}

// Symbols and aliases that decide. The symbols of a file are those of its table of strings.
func TestIsEthernet(t *testing.T) {
	for _, c := range []struct {
		name, symbols string
		info          Info
		want          bool
	}{
		{"usbnet", "usbnet_probe", Info{}, true},
		{"radio", "alloc_etherdev_mqs wiphy_register", Info{}, false},
		{"radio by what it needs", "alloc_etherdev_mqs", Info{Depends: []string{"cfg80211"}}, false},
		{"open-coded", "alloc_netdev_mqs ether_setup register_netdev", Info{Aliases: []string{"pci:v00001234d*"}}, true},
		{"tunnel", "alloc_netdev_mqs ether_setup register_netdev", Info{Aliases: []string{"rtnl-link-x"}}, false},
		{"half", "alloc_netdev_mqs register_netdev", Info{Aliases: []string{"pci:v00001234d*"}}, false},
		{"disk", "blk_mq_alloc_tag_set", Info{Aliases: []string{"pci:v00001234d*"}}, false},
	} {
		strtab := "\x00" + strings.ReplaceAll(c.symbols, " ", "\x00") + "\x00"
		if got := isEthernet(c.info, []byte(strtab)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	for alias, want := range map[string]bool{
		"pci:v*d*sv*sd*bc02sc00i*": true, "pci:v*d*sv*sd*bc02sc80i*": false, "virtio:d00000001v*": true, "virtio:d00000002v*": false,
		"vmbus:635161f83edfc546913ff2d2f965ed0e": true, "xen:vif": true, "xen:vbd": false,
	} {
		if isNIC(alias) != want {
			t.Errorf("%s: not %v", alias, want)
		}
	}
}

// A file that cannot be read has its aliases in the index.
func TestKindByAlias(t *testing.T) {
	x, err := Open(tree(map[string]string{
		depFile:                "updates/nic.ko.zst:\nupdates/disk.ko.zst:\n",
		aliasFile:              "alias virtio:d00000001v* nic\nalias virtio:d00000002v* disk\n",
		"updates/nic.ko.zst":   "",
		"updates/disk.ko.zst":  "",
		"updates/other.ko.zst": "",
	}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Kind{"nic": KindEthernet, "disk": KindOther} {
		if m, _, ok := x.Lookup(name); !ok || m.Kind() != want {
			t.Errorf("%s: %v, %v", name, m.Kind(), ok)
		}
	}
}

// Indexes as several tools write them, of a tree with the same real files: the plan is the same.
func TestOpenFieldIndexes(t *testing.T) {
	relative := "kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko\n" +
		"kernel/drivers/net/net_failover.ko: kernel/net/core/failover.ko\nkernel/net/core/failover.ko:\n"
	absolute := func(prefix string) string { return strings.ReplaceAll(relative, "kernel/", prefix+"/kernel/") }
	own := map[string]string{
		"kernel/drivers/net/virtio_net.ko": "virtio_net.ko", "kernel/drivers/net/net_failover.ko": "net_failover.ko",
		"kernel/net/core/failover.ko": "failover.ko",
	}
	const want = "kernel/net/core/failover.ko kernel/drivers/net/net_failover.ko kernel/drivers/net/virtio_net.ko"
	const builtin = "kernel/drivers/virtio/virtio.ko\nkernel/drivers/virtio/virtio_ring.ko\r\n"
	for name, dep := range map[string]string{
		"relative":               relative,
		"absolute":               absolute("/lib/modules/" + fieldRelease),
		"absolute, merged /usr":  absolute("/usr/lib/modules/" + fieldRelease),
		"absolute, of depmod -b": absolute("/srv/tree/lib/modules/" + fieldRelease),
		"absolute, not clean":    absolute("/lib//modules/./" + fieldRelease),
		"CRLF":                   strings.ReplaceAll(relative, "\n", "\r\n"),
		"blanks":                 strings.ReplaceAll(strings.ReplaceAll(relative, "\n", " \t\n"), ".ko:", ".ko :"),
		"compressed":             strings.ReplaceAll(relative, ".ko", ".ko.xz"),
		"twice":                  relative + relative + "updates/virtio_net.ko:\n",
		"other name":             strings.ReplaceAll(relative, "net_failover", "net-failover"),
		"moved":                  strings.ReplaceAll(relative, "kernel/drivers/net/virtio_net.ko", "weak-updates/virtio_net.ko"),
		"comment":                "# made by hand\n\n" + relative,
	} {
		x, err := Open(fieldTree(t, own, map[string]string{depFile: dep, builtinFile: builtin, aliasFile: ""}), Options{Strict: true, Above: true, Release: fieldRelease})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := plan(x, "virtio-net"); err != nil || got != want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, want)
		}
		if m, _, _ := x.Lookup("virtio_net"); m.Kind() != KindEthernet || len(x.Modules()) != 3 {
			t.Errorf("%s: %v, %v", name, m.Kind(), x.Modules())
		}
	}
	for _, dep := range []string{absolute("/lib/modules/5.10.0"), absolute("/opt")} {
		if _, err := Open(fieldTree(t, own, map[string]string{depFile: dep}), Options{Strict: true, Release: fieldRelease}); err == nil {
			t.Errorf("no error from\n%s", dep)
		}
	}
}

// Files that depmod has not read are found, in the tree and directly above it, but for those of
// another kernel, and of two with one name the one that depmod prefers. What the index lists is not
// changed by them.
func TestOpenUnnamedFiles(t *testing.T) {
	index := map[string]string{
		depFile: "updates/dkms/crc16.ko:\nkernel/fs/mbcache.ko:\n", orderFile: "kernel/fs/jbd2.ko\nkernel/fs/ext4.ko\n", builtinFile: "kernel/lib/libcrc32c.ko\n",
	}
	x, err := Open(fieldTree(t, map[string]string{
		"updates/dkms/crc16.ko": "crc16.ko", "kernel/lib/crc16.ko": "crc16.ko", "kernel/fs/mbcache.ko": "mbcache.ko",
		"kernel/lib/libcrc32c.ko": "libcrc32c.ko",
		"extra/ext4.ko":           "ext4.ko", "kernel/fs/ext4.ko": "ext4.ko", "kernel/fs/jbd2.ko": "jbd2.ko", "../virtio_net.ko": "virtio_net.ko",
		"build/failover.ko": "failover.ko", "updates/jbd2.ko": "jbd2.ko", "weak-updates/net_failover.ko": "net_failover.ko", "zz/net_failover.ko": "net_failover.ko",
	}, index), Options{Strict: true, Above: true, Release: fieldRelease})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range x.Modules() {
		got = append(got, m.Path)
	}
	want := []string{"updates/dkms/crc16.ko", "kernel/fs/mbcache.ko", "updates/jbd2.ko", "extra/ext4.ko", "zz/net_failover.ko", "../virtio_net.ko"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if mods, err := x.Plan("fs-ext4"); err != nil || !slices.ContainsFunc(mods, func(m Module) bool { return m.Path == "updates/dkms/crc16.ko" }) {
		t.Errorf("%v, %v", mods, err)
	}
	var noted notes
	x, err = Open(fieldTree(t, map[string]string{"updates/ext4.ko": "ext4.ko", "weak-updates/jbd2.ko": "jbd2.ko"}, map[string]string{depFile: "a.ko:\n", "a.ko": ""}),
		Options{Strict: true, Release: "6.1.0-57-amd64", Note: noted.add})
	if err != nil || len(x.Modules()) != 2 || !slices.Contains(noted, "1 files are left out: they were built for kernel "+fieldRelease) {
		t.Errorf("%v, %v, %q", x.Modules(), err, noted)
	}
}

// A module whose file does not exist is an error of its own; what does not need it is planned
// without it.
func TestMissingFile(t *testing.T) {
	x, err := Open(fieldTree(t, map[string]string{"kernel/b.ko": "crc16.ko", "kernel/c.ko": "jbd2.ko", "kernel/d.ko": "ext4.ko", "kernel/needs.ko": "failover.ko"}, map[string]string{
		depFile: "updates/gone.ko: kernel/b.ko\nkernel/b.ko:\nkernel/c.ko:\nkernel/d.ko: kernel/b.ko\nkernel/needs.ko: updates/gone.ko\n" +
			"weak-updates/kernel/drivers/net/ethernet/intel/oldnic.ko:\nkernel/fs/other.ko:\n",
		aliasFile: "alias x:* gone\nalias x:* c\nalias y:* gone\n", softdepFile: "softdep d pre: gone needs\n",
	}), Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"x:1": "kernel/c.ko", "d": "kernel/b.ko kernel/d.ko"} {
		if got, err := plan(x, name); err != nil || got != want || x.CheckFiles(name) != nil {
			t.Errorf("%s: %q, %v, %v", name, got, err, x.CheckFiles(name))
		}
	}
	const gone = "module gone: modules.dep lists updates/gone.ko, but the tree has no such file: restore it, or run depmod"
	for name, want := range map[string]string{"gone": gone, "y:1": gone, "needs": "module needs needs " + gone} {
		var e *MissingFileError
		if err := x.CheckFiles(name); !errors.As(err, &e) || err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var missing *NotFoundError
	if err := x.CheckFiles("none"); !errors.As(err, &missing) {
		t.Errorf("none: %v", err)
	}
	for name, want := range map[string]bool{"gone": true, "oldnic": true, "other": false, "b": false} {
		if m, _, ok := x.Lookup(name); !ok || x.MissingMayBeEthernet(m) != want {
			t.Errorf("%s: %v, %v", name, x.MissingMayBeEthernet(m), ok)
		}
	}
}

// Links are followed, to a file or a folder; a dangling one is skipped, and a cycle ends.
func TestModuleFilesFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"V/kernel", "V/weak-updates", "V/source", "W/extra"} {
		if err := os.MkdirAll(dir+"/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"V/kernel/a.ko", "V/kernel/b.ko.xz", "V/kernel/c.txt", "V/source/no.ko", "W/extra/d.ko"} {
		if err := os.WriteFile(dir+"/"+name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"V/weak-updates/d.ko": "../../W/extra/d.ko", "V/weak-updates/gone.ko": "../../X/gone.ko", "V/weak-updates/folder": "../../W/extra",
		"V/kernel/up": "..", "V/weak-updates/self.ko": "self.ko", "V/build": "../W",
	} {
		if err := os.Symlink(to, dir+"/"+link); err != nil {
			t.Fatal(err)
		}
	}
	got := moduleFiles(os.DirFS(dir+"/V"), ".", false)
	want := []string{
		"kernel/a.ko", "kernel/b.ko.xz", "kernel/up/kernel/a.ko", "kernel/up/kernel/b.ko.xz", "kernel/up/weak-updates/d.ko",
		"weak-updates/d.ko", "weak-updates/folder/d.ko",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
