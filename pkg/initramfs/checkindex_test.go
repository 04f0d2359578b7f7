package initramfs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/internal/newctest"
)

// check looks into an image of whose files no content is kept, as it does into one that is read
// whole.
func TestCheckByIndex(t *testing.T) {
	cfg := config(t)
	cfg.Policy = "rd.shell=0"
	image, _ := build(t, cfg)
	m := initramfs.Machine{CommandLine: "iscsi_a=10.1.1.180", Devices: []string{"10ec:8169"}}
	want, err := initramfs.Check(newctest.Tree(t, image), m)
	if err != nil {
		t.Fatal(err)
	}
	index, err := archive.Index(image, archive.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	got, err := initramfs.Check(index, m)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("(-want +got): %v\n%s", err, diff)
	}
	if !slices.ContainsFunc(got, func(f initramfs.Finding) bool { return strings.Contains(f.Text, "firmware rtl_nic/") }) {
		t.Errorf("the modules were not looked into: %v", got)
	}
}
