package rootfs

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// A local disk vda is a copy of sdb, which is of a session: same UUID, same label. It is not found
// unless rd.root.any is given.
func TestSearchSessionsOnly(t *testing.T) {
	p := paths{t.TempDir(), t.TempDir()}
	ext4, err := os.ReadFile("../blockdev/testdata/ext4.sb")
	if err != nil {
		t.Fatal(err)
	}
	fsys, err := blockdev.ProbeDevice(t.Context(), "../blockdev/testdata/ext4.sb")
	if err != nil || fsys.UUID == "" {
		t.Fatal(fsys, err)
	}
	for _, name := range []string{"vda", "sdb"} {
		fakeDisk(t, p.sys, name)
		writeFiles(t, map[string]string{
			filepath.Join(p.sys, "block", name, "size"): "16384\n",
			filepath.Join(p.dev, name):                  string(ext4),
		})
	}
	fakeDisk(t, p.sys, "sdc", 1)
	portals := []netip.AddrPort{netip.MustParseAddrPort("10.1.2.180:3260"), netip.MustParseAddrPort("10.1.1.180:3260")}
	const link = "/dev/disk/by-path/ip-10.1.1.180:3260-iscsi-iqn.x-lun-"
	tests := []struct{ root, more, want string }{
		{"UUID=" + fsys.UUID, "", "sdb"},
		{"UUID=" + fsys.UUID, "rd.root.any", "sdb vda"},
		{"/dev/vda", "rd.root.any", "vda"},
		{"/dev/sdb", "rd.root.any", "sdc"},
		{"LABEL=none", "", ""},
		{link + "0", "", "sdb"},
		{link + "1-part1", "", "sdc1"},
		{link + "2", "", ""},
		{link + "0-part1", "", ""},
	}
	for _, tt := range tests {
		plan, err := bootspec.Parse(cmdline.Parse("root=" + tt.root + " " + tt.more))
		if err != nil {
			t.Fatal(err)
		}
		m := rootAt(plan.Root, 1)
		s := m.Sessions.List()[0]
		s.Target, s.Portals = "iqn.x", portals
		m.disks = []*blockdev.Device{ourDisk("sdb", 0, 0), ourDisk("sdc", 0, 1)}
		got, err := m.search(t.Context(), p, plan.Root.Device.V)
		var missing *notFoundError
		if names(got) != tt.want || (tt.want == "") != errors.As(err, &missing) {
			t.Errorf("%s %s: got %q, %v, want %q", tt.root, tt.more, names(got), err, tt.want)
		}
	}
}
