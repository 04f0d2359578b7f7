package initramfs_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/internal/newctest"
)

// realNIC is a real network driver: it is detected by its imports.
func realNIC(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../kmod/testdata/modules/virtio_net.ko")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// appendTo adds lines to a file of a tree.
func appendTo(t *testing.T, name, text string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, name, append(data, text...))
}

// withDriver is a tree with a network driver that depmod has found outside of the kernel's own
// folders.
func withDriver(t *testing.T, path string) initramfs.Config {
	t.Helper()
	cfg := config(t)
	writeFile(t, dirOf(&cfg)+"/"+path, realNIC(t))
	appendTo(t, dirOf(&cfg)+"/modules.dep", path+": kernel/drivers/net/phy/libphy.ko\n")
	appendTo(t, dirOf(&cfg)+"/modules.alias", "alias pci:v00008086d000010C9sv*sd*bc*sc*i* igb\n")
	return cfg
}

// A driver by DKMS, or at any other place, is in the image for any card and in that for its card,
// and check finds it.
func TestForeignDriver(t *testing.T) {
	for _, place := range []string{"updates/dkms/igb.ko", "updates/igb.ko", "extra/igb/igb.ko", "weak-updates/igb.ko", "kernel/extra/igb.ko", "kernel/drivers/net/igb.ko"} {
		for _, devices := range [][]string{nil, {"8086:10c9"}} {
			cfg := withDriver(t, place)
			cfg.NICs, cfg.Devices = nil, devices
			image, sum := build(t, cfg)
			got := newctest.Tree(t, image)
			if n, ok := got.Lookup("lib/modules/" + release + "/" + place); !ok || n.Type() == 0 || len(sum.Warnings) > 0 {
				t.Errorf("%s for %q: %v, warnings %q", place, devices, ok, sum.Warnings)
			}
			findings, err := initramfs.Check(got, initramfs.Machine{Devices: []string{"8086:10c9"}})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				if strings.Contains(f.Text, "network card") {
					t.Errorf("%s for %q: check says %s", place, devices, f.Text)
				}
			}
		}
	}
}

// If the file of a line of modules.dep is missing, the image lacks only that driver; if the driver
// is requested, it is an error.
func TestDriverIsGone(t *testing.T) {
	const place = "weak-updates/kernel/drivers/net/ethernet/intel/igb.ko"
	const noFile = "module igb: modules.dep lists " + place + ", but the tree has no such file: restore it, or run depmod"
	broken := func() initramfs.Config {
		cfg := withDriver(t, place)
		cfg.NICs = nil
		name := dirOf(&cfg) + "/" + place
		os.Remove(name)
		if err := os.Symlink("../../../../../../../5.10.0/extra/igb.ko", name); err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	cfg := broken()
	image, sum := build(t, cfg)
	if diff := cmp.Diff([]string{"left out: " + noFile}, sum.Warnings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got := newctest.Tree(t, image)
	if dep := content(t, got, "lib/modules/"+release+"/modules.dep"); strings.Contains(dep, "igb") || !strings.Contains(dep, "r8169") {
		t.Errorf("modules.dep:\n%s", dep)
	}
	for name, change := range map[string]func(*initramfs.Config){
		"by name":   func(c *initramfs.Config) { c.NICs = []string{"igb"} },
		"by device": func(c *initramfs.Config) { c.Devices = []string{"8086:10c9"} },
	} {
		cfg := broken()
		change(&cfg)
		t.Run(name, func(t *testing.T) { refused(t, cfg, "modules in "+dirOf(&cfg)+": network driver: "+noFile) })
	}
	cfg = broken()
	cfg.Drivers = []string{"igb"}
	refused(t, cfg, "modules in "+dirOf(&cfg)+": "+noFile)

	// One of two cards, and one that is not requested.
	cfg = broken()
	cfg.Devices = []string{"8086:10c9", "10ec:8169"}
	if _, sum := build(t, cfg); !slices.Equal(sum.Warnings, []string{"left out: " + noFile}) {
		t.Errorf("warnings %q", sum.Warnings)
	}
	cfg = broken()
	cfg.NICs = []string{"virtio_net"}
	if _, sum := build(t, cfg); len(sum.Warnings) > 0 {
		t.Errorf("warnings %q", sum.Warnings)
	}

	// A file system that is optional, and one that is requested.
	cfg = config(t)
	os.Remove(dirOf(&cfg) + "/kernel/fs/xfs/xfs.ko")
	appendTo(t, dirOf(&cfg)+"/modules.alias", "alias fs-xfs xfs\n")
	const noXFS = "module xfs: modules.dep lists kernel/fs/xfs/xfs.ko, but the tree has no such file: restore it, or run depmod"
	cfg.FileSystems = nil
	if _, sum := build(t, cfg); !slices.Equal(sum.Warnings, []string{"left out: " + noXFS}) {
		t.Errorf("warnings %q", sum.Warnings)
	}
	cfg.FileSystems = []string{"xfs"}
	refused(t, cfg, "modules in "+dirOf(&cfg)+": "+noXFS)
}

// The kernel's own driver replaces one whose file is missing.
func TestOwnDriverInPlaceOfGone(t *testing.T) {
	cfg := withDriver(t, "updates/dkms/igb.ko")
	own := "kernel/drivers/net/ethernet/intel/igb/igb.ko"
	writeFile(t, dirOf(&cfg)+"/"+own, moduleBytes(own))
	os.Remove(dirOf(&cfg) + "/updates/dkms/igb.ko")
	cfg.NICs, cfg.Devices = nil, []string{"8086:10c9"}
	_, names := write(t, cfg)
	if !slices.Contains(names, "lib/modules/"+release+"/"+own) {
		t.Errorf("%q", names)
	}
}

// An index as other tools write it makes the same image.
func TestFieldIndexes(t *testing.T) {
	want, _ := build(t, config(t))
	for name, change := range map[string]func(dep string) string{
		"absolute": func(dep string) string { return strings.ReplaceAll(dep, "kernel/", "/lib/modules/"+release+"/kernel/") },
		"merged usr": func(dep string) string {
			return strings.ReplaceAll(dep, "kernel/", "/usr/lib/modules/"+release+"/kernel/")
		},
		"CRLF":      func(dep string) string { return strings.ReplaceAll(dep, "\n", "\r\n") },
		"blanks":    func(dep string) string { return strings.ReplaceAll(dep, "\n", "  \n") },
		"twice":     func(dep string) string { return dep + dep },
		"no suffix": func(dep string) string { return strings.NewReplacer(".ko.gz", ".ko", ".ko.zst", ".ko").Replace(dep) },
		"suffix":    func(dep string) string { return strings.ReplaceAll(dep, "sd_mod.ko", "sd_mod.ko.xz") },
	} {
		cfg := config(t)
		file := dirOf(&cfg) + "/modules.dep"
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, file, []byte(change(string(data))))
		if got, sum := build(t, cfg); string(got) != string(want) || len(sum.Warnings) > 0 {
			t.Errorf("%s: another image, warnings %q", name, sum.Warnings)
		}
	}
}

// Module files that depmod has not read, in the tree and in lib/modules.
func TestUnnamedFiles(t *testing.T) {
	for place, want := range map[string]string{
		"updates/my_nic.ko": "updates/my_nic.ko", "my_nic.ko.gz": "my_nic.ko", "kernel/drivers/net/my_nic.ko": "kernel/drivers/net/my_nic.ko",
		"../my_nic.ko": "extra/my_nic.ko",
	} {
		cfg := config(t)
		cfg.NICs = nil
		data := realNIC(t)
		data = []byte(strings.NewReplacer("name=virtio_net\x00", "name=virtio_nic\x00", "vermagic=6.1.0-56-amd64 ", "vermagic="+fmt.Sprintf("%-14s ", release)).Replace(string(data)))
		data = []byte(strings.ReplaceAll(string(data), "depends=", "ignored="))
		name := filepath.Join(dirOf(&cfg), place)
		writeFile(t, name, pack(t, name, data))
		image, sum := build(t, cfg)
		got := newctest.Tree(t, image)
		if dep := content(t, got, "lib/modules/"+release+"/modules.dep"); !strings.Contains(dep, "\n"+want+":\n") || len(sum.Warnings) > 0 {
			t.Errorf("%s: warnings %q, modules.dep:\n%s", place, sum.Warnings, dep)
		}
		if len(content(t, got, "lib/modules/"+release+"/"+want)) != len(data) {
			t.Errorf("%s: another file", place)
		}
	}
}

// Links are those of the tree, not of the machine that builds: RHEL's are absolute, and lib may be
// one.
func TestLinksInTree(t *testing.T) {
	cfg := withDriver(t, "weak-updates/igb.ko")
	cfg.NICs, cfg.Devices = nil, []string{"8086:10c9"}
	other := filepath.Join(cfg.Root, "lib/modules/5.10.0/extra/igb.ko")
	writeFile(t, other, realNIC(t))
	link := dirOf(&cfg) + "/weak-updates/igb.ko"
	const place = "lib/modules/" + release + "/weak-updates/igb.ko"
	for _, to := range []string{"/lib/modules/5.10.0/extra/igb.ko", "../../5.10.0/extra/igb.ko", "/../lib/modules/5.10.0/extra/igb.ko"} {
		os.Remove(link)
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
		image, _ := build(t, cfg)
		if content(t, newctest.Tree(t, image), place) != string(realNIC(t)) {
			t.Errorf("%s: another file", to)
		}
	}
	os.Remove(link)
	if err := os.Symlink(t.TempDir()+"/igb.ko", link); err != nil {
		t.Fatal(err)
	}
	if _, err := initramfs.Write(t.Context(), io.Discard, cfg); err == nil || !strings.Contains(err.Error(), "weak-updates/igb.ko, but the tree has no such file") {
		t.Errorf("out of the tree: %v", err)
	}
	for _, to := range []string{"usr/lib", "/usr/lib"} {
		cfg := config(t)
		want, _ := build(t, cfg)
		if err := os.Mkdir(cfg.Root+"/usr", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(cfg.Root+"/lib", cfg.Root+"/usr/lib"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, cfg.Root+"/lib"); err != nil {
			t.Fatal(err)
		}
		if got, _ := build(t, cfg); string(got) != string(want) {
			t.Errorf("lib -> %s: another image", to)
		}
	}
}
