package maps

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// Read returns what sysfs has about a disk of a session, as a path. Target is the session's. No
// command is sent to the target.
func (m *Maps) Read(u blockdev.LUN, target string) (multipath.Path, error) {
	d, err := blockdev.Read(m.Sys, u.Disk)
	if err != nil {
		return multipath.Path{}, fmt.Errorf("read path: %w", err)
	}
	p := m.facts(d)
	p.Target, p.LUN = target, u.Number
	return p, nil
}

// facts reads what sysfs has about a disk.
func (m *Maps) facts(d *blockdev.Device) multipath.Path {
	dir := filepath.Join(m.Sys, "class/block", d.Name, "device")
	attribute := func(name string) string {
		b, _ := os.ReadFile(filepath.Join(dir, name)) // not all devices have all
		return strings.TrimSpace(string(b))
	}
	p := multipath.Path{
		Disk: d.Name, Number: table.Number(d.Number), Size: d.Size, Vendor: attribute("vendor"),
		Access: multipath.Access(attribute("access_state")), Preferred: attribute("preferred_path") == "1",
	}
	if d.LUN != nil {
		p.LUN = d.LUN.Number
	}
	page, _ := os.ReadFile(filepath.Join(dir, "vpd_pg83")) // a LUN may have no designator
	p.ID, p.Global, _ = multipath.Identify(page)
	return p
}
