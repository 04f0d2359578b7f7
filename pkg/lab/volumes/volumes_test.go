package volumes

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// What lvm2 has put into stripes, lvm2 finds there, also in a clone; the volume beside them is read
// from its disk.
func TestMake(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	set := Set{Name: "unit", Contents: contents("given\n"), Recipes: []Recipe{{
		Name: "striped", Disks: []Disk{{MiB: 16}, {MiB: 24, Table: "label: gpt\nstart=1MiB, size=2MiB\nstart=3MiB, size=20MiB\n"}},
		Commands: `
vgcreate -s 1M vg $1 ${2}2
lvcreate -i 2 -I 64K -l 8 -n root vg
lvcreate -l 8 -n plain vg ${2}2
fill root /dev/vg/root
fill root /dev/vg/plain
`,
	}}}
	m, err := Make(ctx, set)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	g, err := m.Clone("striped", dir)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := g.Linear("vg-plain")
	if err != nil {
		t.Fatal(err)
	}
	root, err := g.Read(ctx, "vg/root", 8, filepath.Join(dir, "root"))
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range []*images.Disk{root, plain} { // a whole disk has partition 0
		if err := d.Check(i); err != nil {
			t.Error(err)
		}
		if got, err := d.ReadFile(i, "/etc/name"); err != nil || string(got) != "given\n" {
			t.Errorf("%s has %q, %v", d.Path, got, err)
		}
	}
	if _, err := m.Clone("none", dir); err == nil {
		t.Error("a recipe that is not in the set was cloned")
	}
}
