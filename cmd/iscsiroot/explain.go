package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// explainInput is the input of a boot.
type explainInput struct {
	cmdline  string // text, or - for standard input; empty: none
	ibft     string // file with the table
	rootPath string // DHCP's option 17
	uuid     string // the machine's
	image    string // initramfs
	json     bool
	limits   archive.Limits
}

// newExplain returns the explain command.
func newExplain() *cobra.Command {
	var in explainInput
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "show what a machine would do with a command line",
		Long: `explain shows what init would do with a kernel command line and with what the
firmware, a DHCP server and the image add: the network of each NIC, the targets, root,
the lists of modules, and the source of each value. It changes nothing and runs on any
machine. Secrets are not shown.

Where several sources have a value, the first of these is used: the image's policy, the
command line, dracut's and Debian's files in the image, the firmware's iBFT, DHCP, the
image's default.

Exit status 1 if a machine could not boot with it.`,
		Example: "  iscsiroot explain --cmdline 'netroot=iscsi:10.1.1.180::::iqn.2007-01.com.example:a root=LABEL=root ip=...'\n" +
			"  iscsiroot explain --cmdline - < /proc/cmdline",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := in.explain(cmd.InOrStdin())
			if err != nil {
				return err
			}
			return e.print(cmd.OutOrStdout(), in.json)
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&in.cmdline, "cmdline", "", "the kernel command line `TEXT`, - to read it from standard input")
	fs.StringVar(&in.ibft, "ibft", "", "the firmware's table, as in /sys/firmware/acpi/tables/iBFT, from `FILE`")
	fs.StringVar(&in.rootPath, "root-path", "", "DHCP's root path, option 17, is `TEXT`")
	fs.StringVar(&in.uuid, "uuid", "", "the machine's SMBIOS has this `UUID`, which names an initiator that no source names")
	fs.StringVar(&in.image, "image", "", "the initramfs is `FILE`; its parameters and secrets are used too")
	fs.BoolVar(&in.json, "json", false, "write JSON")
	defineLimits(fs, &in.limits)
	return cmd
}

// maxCmdline is more than any kernel accepts, in bytes.
const maxCmdline = 64 << 10

// text returns the command line.
func (in explainInput) text(stdin io.Reader) (string, error) {
	if in.cmdline != "-" {
		return in.cmdline, nil
	}
	b, err := io.ReadAll(io.LimitReader(stdin, maxCmdline+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read the command line: %w", err)
	case len(b) > maxCmdline:
		return "", fmt.Errorf("read the command line: it has more than %d bytes", maxCmdline)
	}
	return string(b), nil
}

// maxTable bounds an iBFT, in bytes: firmware puts it below 1 MiB
// (drivers/firmware/iscsi_ibft_find.c).
const maxTable = 1 << 20

// table returns the firmware's table, nil without one, and init's warnings about it: one that
// cannot be read is ignored.
func (in explainInput) table() (*ibft.Table, []string, error) {
	if in.ibft == "" {
		return nil, nil, nil
	}
	b, err := initramfs.ReadRegular(in.ibft, maxTable)
	if err != nil {
		return nil, nil, fmt.Errorf("read iBFT %s: %w", in.ibft, err)
	}
	t, err := ibft.Parse(b)
	odd, err := ibft.Usable(err)
	if err != nil {
		return nil, []string{err.Error()}, nil
	}
	return &t, odd, nil
}

// imageInput is what an image adds to a command line.
type imageInput struct {
	line        cmdline.Line
	warnings    []string
	credentials []bootspec.Credential
	wrong       error // with the credentials
}

// read reads the parameters and secrets of the image.
func (in explainInput) read(line cmdline.Line) (out imageInput, err error) {
	t, err := initramfs.Open(in.image, in.limits)
	if err != nil {
		return out, err
	}
	err = t.Settle(func() {
		out = imageInput{}
		out.line, out.warnings = bootspec.Gather(t, line)
		out.credentials, out.wrong = initramfs.Credentials(t)
	})
	if err != nil {
		return out, fmt.Errorf("read image %s: %w", in.image, err)
	}
	return out, nil
}

// explain makes the plan as init does.
func (in explainInput) explain(stdin io.Reader) (*explanation, error) {
	text, err := in.text(stdin)
	if err != nil {
		return nil, err
	}
	table, odd, err := in.table()
	if err != nil {
		return nil, err
	}
	e := &explanation{Plan: []settingJSON{}, Errors: []string{}, Warnings: []string{}}
	line := cmdline.Parse(text)
	var credentials []bootspec.Credential
	if in.image != "" {
		image, err := in.read(line)
		if err != nil {
			return nil, err
		}
		line, e.Warnings, credentials = image.line, image.warnings, image.credentials
		e.fail(image.wrong)
	}
	e.Warnings = slices.Concat(e.Warnings, odd, cmdline.Limits(text, cmdline.KernelKnows))
	plan, err := bootspec.ParseWith(line, table)
	plan.Credentials = credentials
	plan.UUID, plan.MACNames = cmp.Or(strings.ToLower(in.uuid), "uuid-of-the-machine"), true
	defer plan.Forget()
	e.Warnings = append(e.Warnings, plan.Warnings...)
	e.fail(err)
	e.resolve(plan, in.rootPath)
	return e, nil
}

// resolve resolves the plan with the values that need no network, and adds the result.
func (e *explanation) resolve(plan bootspec.Plan, rootPath string) {
	facts := plan.Net.Facts()
	facts.RootPath, facts.MAC = rootPath, cmp.Or(facts.MAC, "mac-of-the-nic")
	plan, warnings, err := plan.Preview(facts)
	e.Warnings = append(e.Warnings, warnings...)
	e.fail(err)
	for _, s := range plan.Settings() {
		e.Plan = append(e.Plan, settingJSON(s))
	}
	if !plan.Root.Device.Given() {
		e.Plan = append(e.Plan, settingJSON{"root", "/dev/sda2, or else the first partition or whole LUN with a file system and an init", "default"})
	}
	if !plan.Net.Interface.Given() && !plan.Net.MAC.Given() {
		e.Plan = append(e.Plan, settingJSON{"interface", "the first with a link", "default"})
	}
}

// fail adds the parts of a joined error.
func (e *explanation) fail(err error) {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
	case errors.As(err, &joined):
		for _, one := range joined.Unwrap() {
			e.fail(one)
		}
	default:
		e.Errors = append(e.Errors, err.Error())
	}
}
