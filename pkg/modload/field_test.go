//go:build linux

package modload

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// bootTree is a tree as an image can hold it: real files at the paths that are the keys, and an
// index.
func bootTree(t *testing.T, files map[string]string, index map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	dir := filepath.Join(root, "lib/modules", release61)
	for name, text := range index {
		writeFile(t, filepath.Join(dir, name), text)
	}
	for name, real := range files {
		data, err := os.ReadFile("../kmod/testdata/modules/" + real)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name), string(data))
	}
	return root
}

// open opens a tree and puts a fake kernel below the loader. Nothing may be wrong with the tree.
func open(t *testing.T, root string) (*Loader, *fakeKernel) {
	t.Helper()
	log := &testLog{}
	l, _, err := Open(root, release61, bootspec.Modules{}, log)
	if err != nil || len(log.warnings) > 0 {
		t.Fatalf("%v, warnings %q", err, log.warnings)
	}
	k := &fakeKernel{refuse: map[string]error{}}
	l.kernel = kernel{finit: k.finit, unpack: k.unpack, sys: filepath.Join(root, "sys")}
	return l, k
}

// At boot a driver by DKMS is found; one whose file is missing affects no other; a file that depmod
// has not read is found, and so is one that is no longer compressed.
func TestBootTreesOfTheField(t *testing.T) {
	root := bootTree(t, map[string]string{
		"updates/dkms/nic.ko": "virtio_net.ko", "kernel/lib/crc16.ko": "crc16.ko", "../failover.ko": "failover.ko", "extra/mbcache.ko": "mbcache.ko",
	}, map[string]string{
		"modules.dep":   "updates/dkms/nic.ko:\r\nweak-updates/gone.ko: kernel/lib/crc16.ko.xz\r\n/lib/modules/" + release61 + "/kernel/lib/crc16.ko.xz:\r\n",
		"modules.alias": "alias pci:v00001234d* gone\nalias pci:v00001234d* nic\nalias pci:v00005678d* gone\n",
	})
	l, k := open(t, root)
	for _, name := range []string{"pci:v00001234d1", "crc16", "failover", "mbcache"} {
		if err := l.Load(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := "insmod crc16.ko\ninsmod nic.ko\ninsmod failover.ko\ninsmod mbcache.ko"
	if diff := cmp.Diff(want, k.transcript()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, name := range []string{"gone", "pci:v00005678d1"} {
		var missing *MissingError
		if err := l.Load(t.Context(), name); !errors.As(err, &missing) || missing.File != filepath.Join(root, "lib/modules", release61, "weak-updates/gone.ko") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]bool{"nic": true, "crc16": false, "failover": false} {
		if m, _, ok := l.idx.Lookup(name); !ok || Wanted(m) != want {
			t.Errorf("%s: wanted %v, %v", name, Wanted(m), ok)
		}
	}
}

// Of several drivers of a device each is loaded when the one before it in modules.alias has been
// initialised.
func TestDriversOfOneDeviceInOrder(t *testing.T) {
	root := bootTree(t, map[string]string{"kernel/drivers/net/usb/cdc_ether.ko": "crc16.ko", "kernel/drivers/net/usb/cdc_subset.ko": "jbd2.ko"}, map[string]string{
		"modules.dep":   "kernel/drivers/net/usb/cdc_subset.ko:\nkernel/drivers/net/usb/cdc_ether.ko:\n",
		"modules.alias": "alias usb:v*p*d*dc*dsc*dp*ic02isc06ip00in* cdc_ether\nalias usb:v0525pA4A2d*dc*dsc*dp*ic*isc*ip*in* cdc_subset\n",
	})
	l, k := open(t, root)
	if err := l.Load(t.Context(), "usb:v0525pA4A2d0000dc02dsc00dp00ic02isc06ip00in00"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("insmod cdc_ether.ko\ninsmod cdc_subset.ko", k.transcript()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
