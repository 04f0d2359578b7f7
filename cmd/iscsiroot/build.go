package main

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/storage"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

const buildLong = `build makes a bootable initramfs: init, the kernel modules that reach the disk, and
an index of them. The modules come from DIR/lib/modules/VERSION or
DIR/usr/lib/modules/VERSION, in which depmod must have run; they may be compressed.
Drivers by DKMS and from weak-updates count, and so do module files that depmod has
not seen, in the tree or directly in lib/modules. A file that modules.dep names and
that is gone is a warning, unless the image cannot do without it.

Always included are the modules of iSCSI and SCSI disks. Without --nic, --modaliases
and --host every Ethernet driver and every bus driver is included; with one of them
only the drivers of what is named, with the buses they sit on. Firmware that the
modules ask for is included if it is found; what is missing is listed. All modules together
may unpack to --max-memory.

The image is the same bit for bit from the same input; SOURCE_DATE_EPOCH in the
environment is the time of its files. If anything is missing, there is no output,
and one that was there before stays. No privilege is needed.

On a system other than Linux, give --kernel-version (or --kernel) and --root: unpack
the kernel's package there.`

const buildExample = `  # for this machine's kernel and any network card
  iscsiroot build --output initrd.img

  # small, for a virtual machine, from an unpacked kernel package
  iscsiroot build --root tree --kernel-version 6.1.0-9-amd64 \
      --nic virtio_net --fs ext4 --output initrd.img

  # for a card by its PCI id (lspci -n), and with parameters inside
  iscsiroot build --nic 8086:100e --default 'iscsi_a=10.1.1.180' -o initrd.img`

// newBuild returns the build command.
func newBuild() *cobra.Command {
	var cfg initramfs.Config
	var flags buildFlags
	cmd := &cobra.Command{
		Use:     "build --output FILE",
		Short:   "make a bootable initramfs",
		Long:    buildLong,
		Example: buildExample,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.complete(&cfg); err != nil {
				return err
			}
			bar := newProgress(cmd.ErrOrStderr())
			cfg.Progress = bar.show()
			sum, err := initramfs.Build(cmd.Context(), cfg, flags.output)
			bar.clear()
			if err != nil {
				return err
			}
			printWarnings(cmd.ErrOrStderr(), flags.output, sum)
			return printSummary(cmd.OutOrStdout(), flags, sum)
		},
	}
	flags.define(cmd, &cfg)
	if err := cmd.MarkFlagRequired("output"); err != nil {
		panic(err) // define has defined it
	}
	return cmd
}

// complete checks the options and puts them into cfg.
func (f *buildFlags) complete(cfg *initramfs.Config) error {
	var err error
	if cfg.Compression, err = initramfs.ParseCompression(f.compress); err != nil {
		return err
	}
	if cfg.ModTime, err = sourceDate(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return err
	}
	for _, arg := range f.files {
		file, err := parseFile(arg)
		if err != nil {
			return err
		}
		cfg.Files = append(cfg.Files, file)
	}
	for _, step := range []func(*initramfs.Config) error{f.nics, f.kernel, f.extras, f.uki} {
		if err := step(cfg); err != nil {
			return err
		}
	}
	return findInit(cfg, f.initPath)
}

// sourceDate reads SOURCE_DATE_EPOCH, seconds since 1970; without it everything is of 1970.
func sourceDate(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("SOURCE_DATE_EPOCH=%s in the environment: not a number of seconds since 1970 below 2^32", text)
	}
	return uint32(n), nil
}

// nics sorts out what the network cards are named by.
func (f *buildFlags) nics(cfg *initramfs.Config) error {
	for _, nic := range f.nic {
		if strings.Contains(nic, ":") {
			cfg.Devices = append(cfg.Devices, nic)
		} else {
			cfg.NICs = append(cfg.NICs, nic)
		}
	}
	for _, name := range f.modaliases {
		devices, err := initramfs.ReadDevices(name)
		if err != nil {
			return err
		}
		cfg.Devices = append(cfg.Devices, devices...)
	}
	if !f.host {
		return nil
	}
	devices, err := initramfs.HostDevices("/sys")
	if err != nil {
		return err
	}
	kinds, err := storage.OfHost("/sys", "/proc")
	cfg.Devices, cfg.Storage = append(cfg.Devices, devices...), append(cfg.Storage, kinds...)
	if err != nil || !slices.Contains(kinds, "lvm") {
		return err
	}
	name, err := os.Hostname()
	if err == nil {
		cfg.Default, err = withSystemID(cfg.Default, os.DirFS("/"), name)
	}
	return err
}

// withSystemID adds to the parameters of an image the system id that LVM has on this machine, whose
// root is in a volume: its group may have the id, and init could not know it. A parameter that is
// there counts.
func withSystemID(params string, root fs.FS, hostName string) (string, error) {
	const key = "rd.lvm.system_id="
	if strings.Contains(params, key) {
		return params, nil
	}
	id, err := lvm.HostSystemID(root, hostName)
	if err != nil {
		return params, fmt.Errorf("--host: %w: add --default %sID", err, key)
	}
	if id == "" {
		return params, nil
	}
	return strings.TrimSpace(params + " " + key + id), nil
}

// kernel finds the release of a kernel that is named by a path.
func (f *buildFlags) kernel(cfg *initramfs.Config) error {
	if f.kernelPath == "" || cfg.KernelVersion != "" {
		return nil
	}
	var err error
	cfg.KernelVersion, err = initramfs.KernelRelease(f.kernelPath)
	return err
}

// extras finds the files of options that are given without a path.
func (f *buildFlags) extras(cfg *initramfs.Config) error {
	if f.microcode != "" {
		cfg.Microcode = []string{f.microcode}
	}
	if f.microcode == found {
		cfg.Microcode = []string{cfg.Root + "/lib/firmware", cfg.Root + "/usr/lib/firmware"}
	}
	cfg.Busybox = f.busybox
	if f.busybox != found {
		return nil
	}
	var err error
	cfg.Busybox, err = initramfs.FindBusybox(cfg.Root)
	return err
}

// uki checks that the options for a unified kernel image are given together.
func (f *buildFlags) uki(cfg *initramfs.Config) error {
	switch {
	case f.ukiStub == "" && (f.cmdline != "" || f.osRelease != ""):
		return fmt.Errorf("--cmdline and --os-release are for --uki: add it, or use --default for parameters inside of the image")
	case f.ukiStub == "":
		return nil
	case f.kernelPath == "":
		return fmt.Errorf("--uki needs the kernel's image: add --kernel FILE")
	}
	cfg.UKI = &initramfs.UKI{Stub: f.ukiStub, Kernel: f.kernelPath, CommandLine: f.cmdline, OSRelease: f.osRelease}
	return nil
}
