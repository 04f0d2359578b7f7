package initramfs

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/fstypes"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/system"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// Finding is something that a boot with an image would run into.
type Finding struct {
	// Fatal means that the boot would fail; else it may fail.
	Fatal bool
	Text  string
}

// Machine is where an image is to boot.
type Machine struct {
	// CommandLine is the kernel's.
	CommandLine string
	// Devices are the machine's, as Config.Devices has them; without any the drivers of its
	// cards are not looked for.
	Devices []string
	// Release is the kernel's; empty means the one whose modules the image holds.
	Release string
	// System is the system on root, if it is known.
	System system.System
}

// Check returns what would be missing when a machine boots an image. The error is that of reading
// the image.
func Check(t *archive.Tree, m Machine) ([]Finding, error) {
	var c *checker
	err := t.Settle(func() {
		c = &checker{t: t, m: m}
		c.programs()
		c.parameters()
		c.modules()
	})
	return c.findings, err
}

type checker struct {
	t        *archive.Tree
	m        Machine
	plan     bootspec.Plan
	findings []Finding
}

func (c *checker) missing(format string, args ...any) {
	c.findings = append(c.findings, Finding{true, fmt.Sprintf(format, args...)})
}

func (c *checker) doubtful(format string, args ...any) {
	c.findings = append(c.findings, Finding{false, fmt.Sprintf(format, args...)})
}

// programs looks for what the kernel needs before init runs. Without the nodes Go's runtime ends
// init before main.
func (c *checker) programs() {
	if n, err := c.t.Follow("init"); err != nil || n.Mode&0o111 == 0 || n.Type() != archive.TypeRegular {
		c.missing("/init is not there or cannot be run: the kernel would panic")
	}
	if n, err := c.t.Follow("init"); err == nil && n.Type() == archive.TypeRegular {
		data, _ := c.t.Content(n) // Settle loads it
		name := interpreter(data)
		if _, err := c.t.Follow(name); name != "" && err != nil {
			c.missing("/init needs shared libraries, and %s is not in the image", name)
		}
	}
	for _, node := range []string{"dev/console", "dev/null"} {
		if n, ok := c.t.Lookup(node); !ok || n.Type() != archive.TypeChar {
			c.missing("/%s is not a device node: init cannot start without it", node)
		}
	}
	for _, o := range c.t.Odd {
		c.doubtful("%s", o)
	}
	if c.t.MoreOdd > 0 {
		c.doubtful("%d more entries are odd", c.t.MoreOdd)
	}
}

// parameters reads the command line as init will: with default and policy of the image.
func (c *checker) parameters() {
	for _, limit := range cmdline.Limits(c.m.CommandLine, cmdline.KernelKnows) {
		c.missing("%s", limit)
	}
	line, odd := bootspec.Gather(c.t, cmdline.Parse(c.m.CommandLine))
	for _, w := range odd {
		c.doubtful("%s", w)
	}
	var err error
	c.plan, err = bootspec.Parse(line)
	c.each(err)
	for _, w := range c.plan.Warnings {
		c.doubtful("%s", w)
	}
	c.plan.UUID = "uuid-of-the-machine" // names an initiator if no source does
	if c.plan.Credentials, err = Credentials(c.t); err != nil {
		c.missing("%v", err)
	}
	defer c.plan.Forget()
	_, warnings, err := c.plan.Preview(c.plan.Net.Facts())
	c.each(err)
	for _, w := range warnings {
		c.doubtful("%s", w)
	}
	c.keys()
}

// each reports the parts of a joined error one by one.
func (c *checker) each(err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			c.each(one)
		}
		return
	}
	c.missing("%v", err)
}

// keys looks whether the image's secrets are for the targets that are named.
func (c *checker) keys() {
	for _, target := range c.plan.Targets {
		has := func(cr bootspec.Credential) bool { return strings.EqualFold(cr.Target, target.Name.V) }
		if len(c.plan.Credentials) > 0 && !target.CHAP.Secret.Given() && !slices.ContainsFunc(c.plan.Credentials, has) {
			c.doubtful("%s has secrets, and none for target %s: the login goes without CHAP", bootspec.CredentialsPath, target.Name.V)
		}
	}
}

// release returns the kernel whose modules the image holds.
func (c *checker) release() string {
	if c.m.Release != "" {
		return c.m.Release
	}
	entries, err := fs.ReadDir(c.t, "lib/modules")
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	switch {
	case err != nil || len(names) == 0:
		c.missing("there are no modules in /lib/modules: unless the kernel has everything built in, no disk is found")
		return ""
	case len(names) > 1:
		c.doubtful("modules of several kernels: %s: looked at those of the first", strings.Join(names, ", "))
	}
	return names[0]
}

// modules looks for the modules of iSCSI, of the root file system and of the machine's cards.
func (c *checker) modules() {
	release := c.release()
	if release == "" {
		return
	}
	above, err := fs.Sub(c.t, "lib/modules")
	if err != nil {
		c.missing("%v", err)
		return
	}
	below, err := fs.Sub(above, release)
	if err != nil {
		c.missing("%v", err)
		return
	}
	tree := kmod.WithAbove(below, above)
	for _, name := range kmod.IndexFiles() { // else kmod would find no index, and read each module
		if n, err := c.t.Follow(path.Join("lib/modules", release, name)); err == nil {
			_, _ = c.t.Content(n)
		}
	}
	if c.t.Unsettled() {
		return
	}
	idx, err := kmod.Open(tree, kmod.Options{Above: true, Release: release, Unpack: unpackChecked, Note: func(err error) { c.doubtful("modules: %v", err) }})
	if err != nil {
		c.missing("%v", err)
		return
	}
	if len(idx.Modules()) == 0 {
		c.missing("there are no modules for kernel %s", release)
		return
	}
	for _, name := range needed {
		c.checkModule(idx, tree, name, "for iSCSI disks")
	}
	for _, name := range c.plan.Net.Modules() {
		c.checkModule(idx, tree, name, "for vlan=, bond= or bridge=")
	}
	c.fileSystems(idx, tree)
	c.system(idx, tree)
	c.cards(idx, tree)
}

// checkModule checks that a module and its dependencies are in the image.
func (c *checker) checkModule(idx *kmod.Index, tree fs.FS, name, why string) {
	for _, text := range lacks(idx, tree, name) {
		c.missing("%s: %s", why, text)
	}
}

// lacks returns what is missing of a module and its dependencies.
func lacks(idx *kmod.Index, tree fs.FS, name string) (out []string) {
	plan, err := idx.Plan(name)
	if err != nil {
		return []string{err.Error()}
	}
	for _, m := range plan {
		if _, err := fs.Stat(tree, m.Path); err != nil {
			out = append(out, fmt.Sprintf("module %s: the file %s is not in the image", m.Name, m.Path))
		}
	}
	return out
}

// fileSystems looks for the drivers of root.
func (c *checker) fileSystems(idx *kmod.Index, tree fs.FS) {
	if t := c.plan.Root.FSType; t.Given() {
		for name := range strings.SplitSeq(t.V, ",") {
			c.fileSystem(idx, tree, name, "for rootfstype="+name)
		}
		return
	}
	for _, name := range fstypes.Roots() {
		if _, ok := idx.Resolve("fs-" + name); ok {
			return
		}
	}
	c.missing("there is no driver of a root file system: build with --fs")
}

// fileSystem checks that the driver of a file system is in the image.
func (c *checker) fileSystem(idx *kmod.Index, tree fs.FS, name, why string) {
	alias := "fs-" + name
	if _, ok := idx.Resolve(alias); !ok {
		alias = name
	}
	c.checkModule(idx, tree, alias, why)
}

// cards looks for the drivers of the machine's network cards, and for their firmware.
func (c *checker) cards(idx *kmod.Index, tree fs.FS) {
	nics := slices.ContainsFunc(idx.Modules(), func(m kmod.Module) bool { return m.Kind() == kmod.KindEthernet })
	if len(c.m.Devices) == 0 {
		if !nics {
			c.doubtful("there is no driver of a network card: only one that the kernel has built in will do")
		}
		return
	}
	names, err := selectDevices(idx, c.m.Devices, func(err error) { c.doubtful("network card: %v", err) })
	if err != nil {
		c.missing("network card: %v", err)
		return
	}
	plan, err := idx.Plan(names...)
	if err != nil {
		c.missing("network card: %v", err)
		return
	}
	for _, m := range plan {
		c.checkModule(idx, tree, m.Name, "network card")
		c.firmware(tree, m)
	}
}

// firmware reports the firmware that a module requests and the image does not hold.
func (c *checker) firmware(tree fs.FS, m kmod.Module) {
	f, err := tree.Open(m.Path)
	if err != nil {
		return // reported already
	}
	defer f.Close()
	r, plain := f.(io.ReaderAt)
	if compressionOf[path.Ext(m.Path)] != "" || !plain {
		data, err := unpackChecked(f, m.Path)
		if err != nil {
			c.missing("module %s: %v", m.Name, err)
			return
		}
		r = bytes.NewReader(data)
	}
	info, err := kmod.ReadInfo(r)
	if err != nil {
		c.missing("module %s: %v", m.Name, err)
		return
	}
	for _, name := range info.Firmware {
		found, _ := fs.Glob(c.t, path.Join("lib/firmware", name)+"*")
		if len(found) == 0 {
			c.doubtful("module %s: firmware %s is not in the image: some cards need it", m.Name, name)
		}
	}
}

// maxChecked bounds a module that Check looks into, in bytes: it is held in memory packed and
// unpacked.
const maxChecked = 128 << 20

// unpackChecked returns what is in a module file, unpacked, with that limit.
func unpackChecked(f fs.File, name string) ([]byte, error) {
	return unpackBelow(f, compressionOf[path.Ext(name)], archive.NewMemory(archive.DefaultLimits.Memory), maxChecked)
}
