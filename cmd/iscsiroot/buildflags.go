package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/fstypes"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/storage"
)

// buildFlags are the options of build that are not a Config's fields.
type buildFlags struct {
	initPath   string
	compress   string
	output     string
	files      []string
	nic        []string
	modaliases []string
	host       bool
	kernelPath string
	busybox    string
	microcode  string
	ukiStub    string
	cmdline    string
	osRelease  string
}

// found is the value of an option that was given without one: what it names is to be found.
const found = "the host's"

// define defines the options, in the order in which --help shows them.
func (f *buildFlags) define(cmd *cobra.Command, cfg *initramfs.Config) {
	fileSystems := strings.Join(fstypes.Roots(), ", ")
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVarP(&f.output, "output", "o", "", "write the image to `FILE` (required)")
	fs.StringVar(&cfg.KernelVersion, "kernel-version", "", "take the modules of kernel `VERSION` (default: the running kernel)")
	fs.StringVar(&f.kernelPath, "kernel", "", "take the modules of the kernel whose image or module tree is `PATH`")
	fs.StringVar(&cfg.Root, "root", "/", "look for modules, firmware and the .link files of etc/systemd/network below `DIR`")
	fs.StringSliceVar(&f.nic, "nic", nil, "include only this network `DRIVER`, or that of a PCI card VVVV:DDDD or a modalias; repeatable (default: every Ethernet driver)")
	fs.StringSliceVar(&f.modaliases, "modaliases", nil, "include only drivers of the devices in `FILE`, as cat /sys/bus/*/devices/*/modalias prints them on another machine; repeatable")
	fs.BoolVar(&f.host, "host", false, "include only drivers of this machine's devices, and LVM's system id if root is in a volume here")
	fs.StringSliceVar(&cfg.Network, "net", nil, "include what makes network devices of cards, `KIND`: "+strings.Join(initramfs.SupportedNetwork(), ", ")+"; repeatable (default: all in an image for any card, else those that --default, --policy or --cmdline name)")
	fs.StringSliceVar(&cfg.Storage, "storage", nil, "include what root stands on, `KIND`: "+strings.Join(storage.Supported(), ", ")+"; repeatable (default: all in an image for any machine, what this machine's root stands on with --host, else lvm, md or multipath if --default, --policy or --cmdline name a volume, an array or several paths)")
	fs.StringSliceVar(&cfg.FileSystems, "fs", nil, "include only this root file system `NAME`: "+fileSystems+"; repeatable (default: all)")
	fs.StringSliceVar(&cfg.Drivers, "add-drivers", nil, "include also the module or alias `NAME`; repeatable")
	fs.StringSliceVar(&cfg.FirmwareDirs, "firmware", nil, "look for firmware in `DIR` too, and first; repeatable")
	fs.StringArrayVar(&f.files, "file", nil, "include also the file `SRC[:DST]`, with its mode; repeatable")
	fs.StringArrayVar(&cfg.Overlays, "overlay", nil, "include also all that is in `DIR`; repeatable")
	fs.StringVar(&f.busybox, "busybox", "", "include busybox, statically linked, from `PATH` or from where distributions put it")
	fs.Lookup("busybox").NoOptDefVal = found
	fs.StringVar(&cfg.Default, "default", "", "add parameters that are used if the kernel command line does not have them: `TEXT`")
	fs.StringVar(&cfg.Policy, "policy", "", "add parameters that override the kernel command line: `TEXT`")
	fs.StringVar(&cfg.Credentials, "credentials", "", "add CHAP secrets from `FILE` with a line for each target: TARGET-NAME USER SECRET [TARGET-USER TARGET-SECRET]")
	fs.StringVar(&f.microcode, "microcode", "", "prepend microcode from amd-ucode and intel-ucode in `DIR` or in lib/firmware")
	fs.Lookup("microcode").NoOptDefVal = found
	fs.StringVar(&f.compress, "compress", string(initramfs.Zstd), "compress with `METHOD`: zstd, zstd-19 (by the program zstd), gzip, xz or none")
	fs.StringVar(&f.initPath, "init", "", "use the program `PATH` as init (default: "+initDefault+")")
	fs.StringVar(&cfg.Append, "append", "", "append to the initramfs `IMAGE` of dracut or initramfs-tools and replace its init; modules that it holds are not added again")
	fs.StringVar(&f.ukiStub, "uki", "", "make one EFI file of stub, kernel, command line and image; `STUB` is systemd-boot's linuxx64.efi.stub; needs --kernel")
	fs.StringVar(&f.cmdline, "cmdline", "", "with --uki, the kernel command line `TEXT`")
	defineLimits(fs, &cfg.Limits)
	fs.StringVar(&f.osRelease, "os-release", "", "with --uki, the os-release `FILE` (default: one that names the kernel)")
}
