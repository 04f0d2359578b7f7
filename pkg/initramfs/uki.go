package initramfs

import (
	"fmt"
	"io"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/efi"
)

// UKI describes the parts of a unified kernel image besides the initramfs: an EFI program that
// firmware starts from a disk or from the network (UAPI.5).
type UKI struct {
	// Stub is the program that starts the kernel, such as systemd-boot's linuxx64.efi.stub.
	Stub string
	// Kernel is the kernel's image.
	Kernel string
	// CommandLine is the kernel's.
	CommandLine string
	// OSRelease is a file as os-release(5) describes it; empty makes one that names the
	// kernel's release.
	OSRelease string
}

// maxOSRelease bounds a file as os-release(5) describes it, in bytes.
const maxOSRelease = 64 << 10

// write writes the program.
func (u *UKI) write(w io.Writer, initrd []byte, release string) error {
	stub, err := fileContent(u.Stub)()
	if err != nil {
		return fmt.Errorf("EFI stub: %w", err)
	}
	kernel, err := fileContent(u.Kernel)()
	if err != nil {
		return fmt.Errorf("kernel: %w", err)
	}
	osRelease := []byte("ID=iscsiroot\nNAME=iscsiroot\nVERSION_ID=" + release + "\nPRETTY_NAME=\"iscsiroot, kernel " + release + "\"\n")
	if u.OSRelease != "" {
		if osRelease, err = ReadRegular(u.OSRelease, maxOSRelease); err != nil {
			return fmt.Errorf("read %s: %w", u.OSRelease, err)
		}
	}
	// The kernel comes last: when it starts it needs memory behind its image.
	out, err := efi.AddSections(stub, []efi.Section{
		{Name: ".osrel", Data: osRelease, Flags: efi.Data},
		{Name: ".cmdline", Data: []byte(u.CommandLine + "\x00"), Flags: efi.Data},
		{Name: ".initrd", Data: initrd, Flags: efi.Data},
		{Name: ".linux", Data: kernel, Memory: efi.SizeOfImage(kernel), Flags: efi.Code},
	})
	if err != nil {
		return fmt.Errorf("EFI stub %s: %w", u.Stub, err)
	}
	_, err = w.Write(out)
	return err
}
