package deps

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Vmlinux is the kernel of Image unpacked, as an ELF file, which QEMU starts by its PVH entry point
// (Xen's docs/misc/pvh.pandoc). A guest on an emulated processor saves the three seconds in which
// it would unpack the image itself; the kernel is not at a random address then. The file is kept in
// the cache by the content of the image.
func (k Kernel) Vmlinux() (string, error) {
	file, err := k.vmlinux()
	if err != nil {
		return "", fmt.Errorf("unpack kernel %s: %w", k.Image, err)
	}
	return file, nil
}

func (k Kernel) vmlinux() (string, error) {
	image, err := os.ReadFile(k.Image)
	if err != nil {
		return "", err
	}
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "vmlinux", fmt.Sprintf("%s-%x", k.Release, sha256.Sum256(image)))
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	packed, err := payload(image)
	if err != nil {
		return "", err
	}
	elf, err := unpackPayload(packed)
	if err != nil {
		return "", err
	}
	return file, MakeOnce(file, k.Release+"-*", func(path string) error { return os.WriteFile(path, elf, 0o644) })
}

// Offsets in a bzImage (Documentation/arch/x86/boot.rst), and the size of a sector of its real-mode
// part.
const (
	setupSectsAt    = 0x1f1
	headerMagicAt   = 0x202
	versionAt       = 0x206
	payloadOffsetAt = 0x248
	payloadLengthAt = 0x24c
	setupSector     = 512
	// payloadSince is the first version of the boot protocol with the payload's offset.
	payloadSince = 0x0208
)

// maxVmlinux bounds what is unpacked, in bytes. Debian's kernels are of 60 MB.
const maxVmlinux = 512 << 20

var (
	errNoBzImage = errors.New("this is not a bzImage with a payload")
	errPacked    = errors.New("unknown compression; known are xz, zstd and lz4")
)

// payload is the compressed kernel in a bzImage, without the four bytes of its size behind it.
func payload(image []byte) ([]byte, error) {
	if len(image) < payloadLengthAt+4 || string(image[headerMagicAt:headerMagicAt+4]) != "HdrS" ||
		binary.LittleEndian.Uint16(image[versionAt:]) < payloadSince {
		return nil, errNoBzImage
	}
	sectors := int64(image[setupSectsAt])
	if sectors == 0 {
		sectors = 4 // boot.rst, setup_sects
	}
	begin := (sectors+1)*setupSector + int64(binary.LittleEndian.Uint32(image[payloadOffsetAt:]))
	end := begin + int64(binary.LittleEndian.Uint32(image[payloadLengthAt:])) - 4
	if begin >= end || end > int64(len(image)) {
		return nil, errNoBzImage
	}
	return image[begin:end], nil
}

// unpackPayload unpacks a kernel, which has to be an ELF file.
func unpackPayload(packed []byte) ([]byte, error) {
	var out []byte
	var err error
	switch {
	case bytes.HasPrefix(packed, []byte("\xfd7zXZ\x00")):
		out, err = unpackXZ(packed)
	case bytes.HasPrefix(packed, []byte("\x28\xb5\x2f\xfd")):
		out, err = unpackZstd(packed)
	case bytes.HasPrefix(packed, []byte("\x02\x21\x4c\x18")):
		out, err = readAll(lz4.NewReader(bytes.NewReader(packed)), maxVmlinux)
	default:
		return nil, errPacked
	}
	if err != nil {
		return nil, err
	}
	if _, err := elf.NewFile(bytes.NewReader(out)); err != nil {
		return nil, fmt.Errorf("unpacked kernel: %w", err)
	}
	return out, nil
}

// unpackXZ runs xz: none of the linked libraries supports the filter for x86 code that a kernel is
// compressed with.
func unpackXZ(packed []byte) ([]byte, error) {
	cmd := exec.Command("xz", "--decompress", "--stdout")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(packed), &stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("xz: %w", err)
	}
	out, err := readAll(pipe, maxVmlinux)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("xz: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

func unpackZstd(packed []byte) ([]byte, error) {
	r, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderMaxWindow(maxVmlinux))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readAll(r, maxVmlinux)
}

func readAll(r io.Reader, most int64) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(out)) > most {
		err = fmt.Errorf("the kernel is larger than %d bytes", most)
	}
	return out, err
}
