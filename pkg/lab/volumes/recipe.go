package volumes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// Recipe makes disks with volume groups or arrays.
type Recipe struct {
	// Name is a word, the only one of its kind in its set.
	Name string
	// Disks are empty ones, but for their partition tables.
	Disks []Disk
	// Commands are lines of a POSIX shell, each of which has to succeed. $1, $2 and so on are
	// the disks, ${1}2 is a partition of the first. Besides the commands of lvm2 ("lvcreate"),
	// mdadm and busybox there are
	//
	//	fill CONTENT DEVICE    copies a content of the set into a volume or an array
	//	synced NAME            waits until the device-mapper device NAME, a raid, is in sync
	//	array NAME ARGUMENT... creates the array /dev/md/NAME, which is named diskless:NAME, as in sync
	//
	// lvm2 sees no other disks than the recipe's, and arrays. What the commands leave active is
	// what [Group.Linear] and [Group.Members] know.
	Commands string
}

// Disk is a disk of a recipe.
type Disk struct {
	// MiB is its size.
	MiB int
	// Table is what sfdisk(8) makes its partition table of; empty: none.
	Table string
}

// Set are recipes that are made in one run of the guest, at most 24 disks in all with the contents.
type Set struct {
	// Name is a word; what is made of another set with the same name is removed.
	Name    string
	Recipes []Recipe
	// Contents are file systems without a Directory, by names for "fill".
	Contents map[string]images.Filesystem
}

// Made is a set in the cache.
type Made struct {
	set Set
	dir string
}

// Make makes a set, or finds it in the cache: the same recipes, with the same contents, by the same
// lvm2 on the same kernel. What is missing of lvm2 or the kernel is a [deps.ErrNotCached].
func Make(ctx context.Context, s Set) (*Made, error) {
	m, err := makeSet(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("make volumes %s: %w", s.Name, err)
	}
	return m, nil
}

func makeSet(ctx context.Context, s Set) (*Made, error) {
	g, err := newGuest()
	if err != nil {
		return nil, err
	}
	sum, err := s.sum(g)
	if err != nil {
		return nil, err
	}
	cache, err := deps.CacheDir()
	if err != nil {
		return nil, err
	}
	m := &Made{set: s, dir: filepath.Join(cache, "volumes", s.Name+"-"+sum)}
	if _, err := os.Stat(m.dir); err == nil {
		return m, nil
	}
	return m, deps.MakeOnce(m.dir, s.Name+"-*", func(dir string) error {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		return s.make(ctx, g, dir)
	})
}

// sum is the first digits of a checksum of all that the set is made of.
func (s Set) sum(g *guest) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s %s %#v\n", g.lvm.dir, g.mdadm.dir, g.kernel.Release, script, s.Recipes)
	for _, name := range slices.Sorted(maps.Keys(s.Contents)) {
		sum, err := s.Contents[name].Sum()
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, name, sum)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// make makes the disks in dir, and the file with what the guest has said of them.
func (s Set) make(ctx context.Context, g *guest, dir string) error {
	var disks []string
	tree, boot := images.Tree{}, &strings.Builder{}
	names := slices.Sorted(maps.Keys(s.Contents))
	work, err := os.MkdirTemp("", "iscsiroot-volumes-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, name := range names {
		path := filepath.Join(work, name)
		if _, err := images.WriteWholeDisk(path, s.Contents[name]); err != nil {
			return err
		}
		disks = append(disks, path)
		fmt.Fprintf(boot, "content_%s=%s\n", name, g.disk(len(disks)-1))
	}
	for _, r := range s.Recipes {
		words := []string{"recipe", r.Name}
		for i, d := range r.Disks {
			path := filepath.Join(dir, diskName(r.Name, i))
			if err := d.make(ctx, path); err != nil {
				return err
			}
			words = append(words, g.disk(len(disks)))
			disks = append(disks, path)
		}
		tree["recipes/"+r.Name] = images.Text(r.Commands)
		fmt.Fprintln(boot, strings.Join(words, " "))
	}
	said, err := g.run(ctx, tree, boot.String(), disks)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, factsFile), []byte(said), 0o644)
}

const factsFile = "facts"

func diskName(recipe string, i int) string { return fmt.Sprintf("%s-%d", recipe, i) }

func (d Disk) make(ctx context.Context, path string) error {
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		return err
	}
	if err := os.Truncate(path, int64(d.MiB)<<20); err != nil {
		return err
	}
	if d.Table == "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, "sfdisk", "-q", path)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if cmd.Err != nil {
		cmd.Path, cmd.Err = exec.LookPath("/usr/sbin/sfdisk")
	}
	cmd.Stdin = strings.NewReader(d.Table)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sfdisk: %w: %s; run scripts/deps.sh if it is missing", err, out)
	}
	return nil
}
