package initramfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// KernelRelease returns the release of a kernel, as uname -r prints it there, by a path: of its
// image, or of its module tree.
func KernelRelease(name string) (string, error) {
	st, err := os.Stat(name)
	if err != nil {
		return "", fmt.Errorf("kernel %s: %w", name, cause(err))
	}
	if st.IsDir() {
		if _, err := os.Stat(filepath.Join(name, "modules.dep")); err != nil {
			return "", fmt.Errorf("kernel %s: there is no modules.dep in it: %w", name, cause(err))
		}
		abs, err := filepath.Abs(name)
		return filepath.Base(abs), err
	}
	data, err := ReadRegular(name, maxProgram)
	if err != nil {
		return "", fmt.Errorf("kernel %s: neither a kernel image nor a module tree: %w", name, err)
	}
	release, ok := kernelRelease(data)
	if !ok {
		return "", fmt.Errorf("kernel %s: its release is not to be found in it: give --kernel-version", name)
	}
	return release, nil
}

// Offsets in the header of an x86 kernel (Documentation/arch/x86/boot.rst).
const (
	bzMagic   = 0x202 // "HdrS"
	bzVersion = 0x20e // kernel_version: offset of a string, less 0x200
)

// kernelRelease finds the release in a kernel image: an x86 one has a pointer to it, in others the
// banner is searched for (init/version-timestamp.c: linux_banner).
func kernelRelease(data []byte) (string, bool) {
	if len(data) > bzVersion+2 && string(data[bzMagic:bzMagic+4]) == "HdrS" {
		at := int(binary.LittleEndian.Uint16(data[bzVersion:])) + 0x200
		if at < len(data) {
			return firstWord(data[at:])
		}
		return "", false
	}
	if bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		plain, err := archive.Unpack(archive.Gzip, data, maxProgram)
		if err != nil {
			return "", false
		}
		data = plain
	}
	for {
		_, rest, ok := bytes.Cut(data, []byte("Linux version "))
		if !ok {
			return "", false
		}
		if release, ok := firstWord(rest); ok {
			return release, true
		}
		data = rest
	}
}

// maxRelease is the longest release, without the NUL (include/uapi/linux/utsname.h: __NEW_UTS_LEN).
const maxRelease = 64

// firstWord returns a release that data begins with.
func firstWord(data []byte) (string, bool) {
	word, _, ok := bytes.Cut(data[:min(len(data), maxRelease+1)], []byte(" "))
	if !ok || len(word) == 0 || word[0] < '0' || word[0] > '9' || strings.ContainsFunc(string(word), func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }) {
		return "", false
	}
	return string(word), true
}
