package volumes

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// What lvm2 has put into stripes, lvm2 finds there, also in a clone; the volume beside them is read
// from its disk, and what is in a mirror of mdadm from each member and by mdadm.
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
	}, {
		Name: "mirror", Disks: []Disk{{MiB: 16}, {MiB: 24, Table: "label: gpt\nstart=1MiB, size=2MiB\nstart=3MiB, size=20MiB\n"}},
		Commands: "array root --level=1 --raid-devices=2 --metadata=1.2 --bitmap=internal $1 ${2}2\nfill root /dev/md/root\n",
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
	check(t, root, 0) // a whole disk has partition 0
	check(t, plain, 1)
	checkMirror(ctx, t, m)
	if _, err := m.Clone("none", dir); err == nil {
		t.Error("a recipe that is not in the set was cloned")
	}
}

// checkMirror checks the file system of the set's mirror on each member, and as mdadm has it.
func checkMirror(ctx context.Context, t *testing.T, m *Made) {
	t.Helper()
	dir := t.TempDir()
	g, err := m.Clone("mirror", dir)
	if err != nil {
		t.Fatal(err)
	}
	members, err := g.Members("root")
	if err != nil || len(members) != 2 {
		t.Fatalf("members %+v, %v", members, err)
	}
	for _, member := range members {
		check(t, images.OpenDisk(g.Paths[member.Disk], member.Offset), 1)
	}
	whole, err := g.Read(ctx, "md/root", 8, filepath.Join(dir, "whole"))
	if err != nil {
		t.Fatal(err)
	}
	check(t, whole, 0)
}

// check checks a file system that the set has been filled with.
func check(t *testing.T, d *images.Disk, partition int) {
	t.Helper()
	if err := d.Check(partition); err != nil {
		t.Error(err)
	}
	if got, err := d.ReadFile(partition, "/etc/name"); err != nil || string(got) != "given\n" {
		t.Errorf("%s has %q, %v", d.Path, got, err)
	}
}
