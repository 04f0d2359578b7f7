//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

const buildLong = `build makes a bootable initramfs: init, the kernel modules that reach the disk, and
an index of them. The modules come from DIR/lib/modules/VERSION or
DIR/usr/lib/modules/VERSION, in which depmod must have run.

Always included are the modules of iSCSI and SCSI disks. Without --nic every
Ethernet driver and every bus driver is included; with it, only the named drivers
with the buses they sit on. Firmware is not included: name files with --file.

The image is the same bit for bit from the same input. If anything is missing,
there is no output, and one that was there before stays.`

const buildExample = `  # for this machine's kernel and any network card
  iscsiroot build --output initrd.img

  # small, for a virtual machine, from an unpacked kernel package
  iscsiroot build --root tree --kernel-version 6.1.0-9-amd64 \
      --nic virtio_net --fs ext4 --output initrd.img`

// buildFlags are the options of build that are not a Config's fields.
type buildFlags struct {
	initPath string
	compress string
	output   string
	files    []string
}

// newBuild returns the build command.
func newBuild() *cobra.Command {
	var cfg initramfs.Config
	var flags buildFlags
	cmd := &cobra.Command{
		Use:     "build --output FILE",
		Short:   "make a bootable initramfs",
		Long:    buildLong,
		Example: buildExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.complete(&cfg); err != nil {
				return err
			}
			sum, err := initramfs.Build(cmd.Context(), cfg, flags.output)
			if err != nil {
				return err
			}
			return printSummary(cmd.OutOrStdout(), flags, sum)
		},
	}
	flags.define(cmd, &cfg)
	if err := cmd.MarkFlagRequired("output"); err != nil {
		panic(err) // define has defined it
	}
	return cmd
}

// define defines the options, in the order in which --help shows them.
func (f *buildFlags) define(cmd *cobra.Command, cfg *initramfs.Config) {
	fileSystems := strings.Join(initramfs.SupportedFileSystems(), ", ")
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVarP(&f.output, "output", "o", "", "write the image to `FILE` (required)")
	fs.StringVar(&cfg.KernelVersion, "kernel-version", "", "take the modules of kernel `VERSION` (default: the running kernel)")
	fs.StringVar(&cfg.Root, "root", "/", "look for modules below `DIR`")
	fs.StringSliceVar(&cfg.NICs, "nic", nil, "include only this network `DRIVER`; repeatable (default: every Ethernet driver)")
	fs.StringSliceVar(&cfg.FileSystems, "fs", nil, "include only this root file system `NAME`: "+fileSystems+"; repeatable (default: all)")
	fs.StringSliceVar(&cfg.Drivers, "add-drivers", nil, "include also the module or alias `NAME`; repeatable")
	fs.StringArrayVar(&f.files, "file", nil, "include also the file `SRC[:DST]`, with its mode; repeatable")
	fs.StringVar(&f.compress, "compress", string(initramfs.Zstd), "compress with `METHOD`: zstd, gzip or none")
	fs.StringVar(&f.initPath, "init", "", "use the program `PATH` as init (default: "+initDefault+")")
}

// complete checks the options and puts them into cfg.
func (f buildFlags) complete(cfg *initramfs.Config) error {
	var err error
	if cfg.Compression, err = initramfs.ParseCompression(f.compress); err != nil {
		return err
	}
	for _, arg := range f.files {
		file, err := parseFile(arg)
		if err != nil {
			return err
		}
		cfg.Files = append(cfg.Files, file)
	}
	return findInit(cfg, f.initPath)
}

// printSummary prints one line about an image that was made.
func printSummary(w io.Writer, f buildFlags, sum initramfs.Summary) error {
	_, err := fmt.Fprintf(w, "%s: kernel %s, %d modules, %d bytes %s (%.1f MiB, unpacked %.1f MiB)\n",
		f.output, sum.Kernel, sum.Modules, sum.Bytes, compressionWord(f.compress), mib(sum.Bytes), mib(sum.Unpacked))
	return err
}

// compressionWord says how the bytes are packed.
func compressionWord(name string) string {
	if initramfs.Compression(name) == initramfs.None {
		return "uncompressed"
	}
	return "of " + name
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
