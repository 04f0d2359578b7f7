package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// nic is a network device and what drives it.
type nic struct {
	name, model, driver string
	modules             []string // to load, with what they depend on
}

var nics = []nic{
	{"virtio-net", "virtio-net-pci", "virtio_net", []string{"virtio_pci", "virtio_net"}},
	{"e1000", "e1000", "e1000", []string{"e1000"}},
}

func findNIC(name string) (nic, error) {
	i := slices.IndexFunc(nics, func(n nic) bool { return n.name == name })
	if i < 0 {
		return nic{}, fmt.Errorf("network device %s: known are virtio-net and e1000", name)
	}
	return nics[i], nil
}

// modules are those that a boot cannot do without, in order: plain .ko files of the host.
type modules struct{ nic, iscsi, fs []string }

// findModules takes the files from an uncompressed image of ours, so that everyone loads the same
// bytes.
func (s *stage) findModules(ctx context.Context, n nic) (modules, error) {
	dir := filepath.Join(s.dir, "modules-"+n.name)
	image := dir + ".cpio"
	cfg := s.ourConfig(n)
	cfg.Compression = initramfs.None
	if _, err := initramfs.Build(ctx, cfg, image); err != nil {
		return modules{}, err
	}
	files, err := unpackModules(image, dir)
	if err != nil {
		return modules{}, fmt.Errorf("unpack the modules: %w", err)
	}
	index, err := kmod.Read(os.DirFS(filepath.Join(s.kernel.ModulesRoot, "lib/modules", s.kernel.Release)))
	if err != nil {
		return modules{}, err
	}
	var out modules
	seen := map[string]bool{}
	for _, group := range []struct {
		names []string
		out   *[]string
	}{{n.modules, &out.nic}, {[]string{"iscsi_tcp", "sd_mod"}, &out.iscsi}, {[]string{"ext4"}, &out.fs}} {
		steps, err := index.Steps(group.names...)
		if err != nil {
			return modules{}, err
		}
		for _, step := range steps {
			if file, ok := files[step.Name]; ok && !seen[step.Name] && isNeeded(step) {
				seen[step.Name] = true
				*group.out = append(*group.out, file)
			}
		}
	}
	return out, nil
}

// isNeeded leaves out what the others do without. Of the soft dependencies only crc32c is missed,
// for iSCSI's digests and ext4's checksums; on the emulated processor it is the generic one that
// works.
func isNeeded(step kmod.Step) bool { return !step.Soft || step.Name == "crc32c_generic" }

// unpackModules writes the modules of an uncompressed image into dir and returns their paths by
// name.
func unpackModules(image, dir string) (map[string]string, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Open(image)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	records, err := cpio.ReadAllRecords(cpio.Newc.Reader(f))
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, r := range records {
		base, ok := strings.CutSuffix(path.Base(r.Name), ".ko")
		if !ok {
			continue
		}
		content, err := io.ReadAll(io.NewSectionReader(r, 0, int64(r.FileSize)))
		if err != nil {
			return nil, err
		}
		name := strings.ReplaceAll(base, "-", "_")
		files[name] = filepath.Join(dir, name+".ko")
		if err := os.WriteFile(files[name], content, 0o600); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// inImage is where a module stands in the images that are not ours: /lib/modules, as the HOWTO has
// it.
func inImage(file string) string { return "lib/modules/" + filepath.Base(file) }

func (m modules) addTo(t images.Tree) {
	for _, file := range slices.Concat(m.nic, m.iscsi, m.fs) {
		t[inImage(file)] = images.Copy(file)
	}
}
