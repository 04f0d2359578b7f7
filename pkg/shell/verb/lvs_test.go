package verb

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// volumeDisks writes a sysfs and a directory of devices with disks as real lvm2 has written them,
// of pkg/lvm/testdata.
func volumeDisks(t *testing.T, files map[string]string) (sys, dev string) {
	t.Helper()
	sys, dev = t.TempDir(), t.TempDir()
	for disk, file := range files {
		f, err := os.Open(filepath.Join("../../lvm/testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		err = errors.Join(err, f.Close())
		for _, dir := range []string{"block", "class/block"} {
			at := filepath.Join(sys, dir, disk)
			err = errors.Join(err, os.MkdirAll(at, 0o755), os.WriteFile(filepath.Join(at, "size"), []byte("131072\n"), 0o644))
		}
		if err = errors.Join(err, os.WriteFile(filepath.Join(dev, disk), b, 0o644), os.Truncate(filepath.Join(dev, disk), 64<<20)); err != nil {
			t.Fatal(err)
		}
	}
	return sys, dev
}

func listVolumes(t *testing.T, sys, dev string) (text string, errs []error) {
	t.Helper()
	groups, errs, err := volumeGroups(t.Context(), sys, dev)
	if err != nil {
		t.Fatal(err)
	}
	for i := range groups {
		text += describeGroup(&groups[i], sys)
	}
	return text, errs
}

func TestListVolumes(t *testing.T) {
	sys, dev := volumeDisks(t, map[string]string{"sda": "linear/254-0.gz"})
	dm := filepath.Join(sys, "class/block/dm-0/dm")
	if err := errors.Join(os.MkdirAll(dm, 0o755), os.WriteFile(filepath.Join(dm, "name"), []byte("vg-root\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	want := "vg/root (16 MiB, linear): active\nvg/swap (4 MiB, linear): not active\n"
	if got, errs := listVolumes(t, sys, dev); got != want || errs != nil {
		t.Errorf("%q, %v, want %q", got, errs, want)
	}
}

// The parts of raids and pools are not listed; what a group lacks is.
func TestListIncompleteGroup(t *testing.T) {
	sys, dev := volumeDisks(t, map[string]string{"sda": "thin/254-0.gz"})
	got, errs := listVolumes(t, sys, dev)
	for _, want := range []string{"vg/pool (16 MiB, thin-pool): not active\n", "vg/root (64 MiB, thin): not active\n", "vg lacks the physical volume "} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if strings.Contains(got, "_t") || errs != nil {
		t.Errorf("%q, %v", got, errs)
	}
}

func TestListDuplicates(t *testing.T) {
	sys, dev := volumeDisks(t, map[string]string{"sda": "linear/254-0.gz", "sdb": "linear/254-0.gz", "sdc": "orphan/254-0.gz"})
	if _, errs := listVolumes(t, sys, dev); len(errs) != 1 || !strings.Contains(errs[0].Error(), "is on sda and on sdb") {
		t.Errorf("%v", errs)
	}
}
