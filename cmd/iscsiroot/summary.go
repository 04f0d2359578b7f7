package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// printSummary prints what an image that was made holds: a line, and its largest files.
func printSummary(w io.Writer, f buildFlags, sum initramfs.Summary) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: kernel %s, %d modules%s, %d bytes %s (%.1f MiB, unpacked %.1f MiB)\n",
		f.output, sum.Kernel, sum.Modules, also(sum), sum.Bytes, compressionWord(f), mib(sum.Bytes), mib(sum.Unpacked))
	fmt.Fprintf(&b, "largest of %d files and directories:\n", sum.Files)
	for _, l := range sum.Largest {
		fmt.Fprintf(&b, "%10d %s\n", l.Size, l.Name)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// also returns what there is besides modules.
func also(sum initramfs.Summary) string {
	text := ""
	if sum.Appended > 0 {
		text += fmt.Sprintf(" and %d of the other image", sum.Appended)
	}
	if sum.Firmware > 0 {
		text += fmt.Sprintf(", %d firmware files", sum.Firmware)
	}
	if sum.Links > 0 {
		text += fmt.Sprintf(", %d files of /etc/systemd/network that name NICs", sum.Links)
	}
	return text
}

// compressionWord returns the compression in words.
func compressionWord(f buildFlags) string {
	switch {
	case f.ukiStub != "":
		return "of EFI program"
	case initramfs.Compression(f.compress) == initramfs.None:
		return "uncompressed"
	}
	return "of " + f.compress
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// shownFirmware is how many missing files of one module are named.
const shownFirmware = 4

// printWarnings prints the warnings about an image that was made.
func printWarnings(w io.Writer, output string, sum initramfs.Summary) {
	for _, warning := range sum.Warnings {
		fmt.Fprintf(w, "iscsiroot: %s\n", warning)
	}
	for _, m := range sum.MissingFirmware {
		more := ""
		files := m.Files
		if len(files) > shownFirmware {
			files, more = files[:shownFirmware], fmt.Sprintf(" and %d more", len(files)-shownFirmware)
		}
		fmt.Fprintf(w, "iscsiroot: module %s: firmware not found: %s%s\n", m.Module, strings.Join(files, ", "), more)
	}
	if sum.Secret {
		fmt.Fprintf(w, "iscsiroot: %s holds a secret and has mode 0600: a TFTP or HTTP server that can read it sends it to any client\n", output)
	}
}
