package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// Group are the disks of a recipe, of which each may be changed.
type Group struct {
	// Paths are the disks' images, in the recipe's order.
	Paths []string

	told told
}

// Piece is a volume, or a member of an array, that is in one piece on a disk.
type Piece struct {
	// Disk is the disk's index in [Group.Paths].
	Disk int
	// Offset is where the data begins on the disk, and Size how long it is, in bytes.
	Offset, Size int64
}

var (
	errNoRecipe  = errors.New("no such recipe in the set")
	errNoVolume  = errors.New("no such active volume")
	errNotLinear = errors.New("volume is not in one piece on one disk")
	errNoArray   = errors.New("no such array whose members are on disks alone")
)

// Clone makes a recipe's disks anew in dir, which exists.
func (m *Made) Clone(recipe, dir string) (*Group, error) {
	g, err := m.clone(recipe, dir)
	if err != nil {
		return nil, fmt.Errorf("clone volumes %s: %w", recipe, err)
	}
	return g, nil
}

func (m *Made) clone(recipe, dir string) (*Group, error) {
	facts, err := os.ReadFile(filepath.Join(m.dir, factsFile))
	if err != nil {
		return nil, err
	}
	for _, r := range m.set.Recipes {
		if r.Name != recipe {
			continue
		}
		g := &Group{}
		for i := range r.Disks {
			name := diskName(recipe, i)
			d, err := images.OpenDisk(filepath.Join(m.dir, name)).Clone(filepath.Join(dir, name))
			if err != nil {
				return nil, err
			}
			g.Paths = append(g.Paths, d.Path)
		}
		g.told, err = parseFacts(string(facts), recipe)
		return g, err
	}
	return nil, errNoRecipe
}

// Linear is the file system of a volume that is in one piece on one disk, partition 1 of the
// result's methods. name is device-mapper's: vg-root, and vg-root_rimage_0 for a half of a mirror.
func (g *Group) Linear(name string) (*images.Disk, error) {
	p, err := g.Piece(name)
	if err != nil {
		return nil, err
	}
	return images.OpenDisk(g.Paths[p.Disk], p.Offset), nil
}

// Piece is where a volume is that is in one piece on one disk, by its name of device-mapper.
func (g *Group) Piece(name string) (Piece, error) {
	pieces, ok := g.told.pieces[name]
	switch {
	case !ok:
		return Piece{}, fmt.Errorf("volume %s: %w", name, errNoVolume)
	case len(pieces) != 1 || pieces[0].Disk < 0:
		return Piece{}, fmt.Errorf("volume %s: %w", name, errNotLinear)
	}
	return pieces[0], nil
}

// Members are the members of an array, /dev/md/NAME of the recipe. Each of a mirror's holds all of
// the file system.
func (g *Group) Members(name string) ([]Piece, error) {
	members := g.told.members[name]
	if len(members) == 0 || slices.ContainsFunc(members, func(m Piece) bool { return m.Disk < 0 }) {
		return nil, fmt.Errorf("array %s: %w", name, errNoArray)
	}
	return members, nil
}

// Read copies the first MiB of a volume or an array to path, by lvm2 and mdadm in the guest, which
// change the disks as any activation does. device is its path below /dev, vg/root or md/root for
// example. The result is a whole-disk file system.
func (g *Group) Read(ctx context.Context, device string, mib int, path string) (*images.Disk, error) {
	d, err := g.read(ctx, device, mib, path)
	if err != nil {
		return nil, fmt.Errorf("read volume %s: %w", device, err)
	}
	return d, nil
}

func (g *Group) read(ctx context.Context, device string, mib int, path string) (*images.Disk, error) {
	m, err := newGuest()
	if err != nil {
		return nil, err
	}
	if err := (Disk{MiB: mib}).make(ctx, path); err != nil {
		return nil, err
	}
	words := []string{"activate"}
	for i := range g.Paths {
		words = append(words, m.disk(i+1))
	}
	copied := fmt.Sprintf("dd if=/dev/%s of=%s bs=1M count=%d conv=fsync && down || exit\n", device, m.disk(0), mib)
	disks := append([]string{path}, g.Paths...)
	if _, err := m.run(ctx, images.Tree{}, strings.Join(words, " ")+"\n"+copied, disks); err != nil {
		return nil, err
	}
	return images.OpenDisk(path, 0), nil
}
