package deps

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// bzImage is a boot image around a payload, as Documentation/arch/x86/boot.rst has it: the
// real-mode part of one sector and setup_sects more, the decompressor of that many bytes, the
// payload, and its size unpacked.
func bzImage(setupSects byte, decompressor uint32, payload []byte) []byte {
	sectors := int(setupSects)
	if sectors == 0 {
		sectors = 4
	}
	image := make([]byte, (sectors+1)*setupSector+int(decompressor))
	image[setupSectsAt] = setupSects
	copy(image[headerMagicAt:], "HdrS")
	binary.LittleEndian.PutUint16(image[versionAt:], 0x020f)
	binary.LittleEndian.PutUint32(image[payloadOffsetAt:], decompressor)
	binary.LittleEndian.PutUint32(image[payloadLengthAt:], uint32(len(payload)+4))
	return append(append(image, payload...), 1, 2, 3, 4)
}

func TestPayload(t *testing.T) {
	const text = "packed"
	with := func(f func(image []byte)) []byte {
		image := bzImage(2, 100, []byte(text))
		f(image)
		return image
	}
	put32 := func(at int, n uint32) func([]byte) {
		return func(image []byte) { binary.LittleEndian.PutUint32(image[at:], n) }
	}
	whole := bzImage(2, 100, []byte(text))
	for name, tt := range map[string]struct {
		image []byte
		want  string
	}{
		"whole":                   {whole, text},
		"setup_sects of old":      {bzImage(0, 0, []byte(text)), text},
		"signed, longer":          {append(bytes.Clone(whole), "signature"...), text},
		"without the size":        {whole[:len(whole)-4], text},
		"first version":           {with(func(image []byte) { binary.LittleEndian.PutUint16(image[versionAt:], payloadSince) }), text},
		"version before it":       {with(func(image []byte) { binary.LittleEndian.PutUint16(image[versionAt:], payloadSince-1) }), ""},
		"empty":                   {nil, ""},
		"shorter than the header": {whole[:payloadLengthAt+3], ""},
		"no magic":                {with(func(image []byte) { image[headerMagicAt]++ }), ""},
		"an ELF":                  {append([]byte(elf.ELFMAG), make([]byte, 4096)...), ""},
		"cut off":                 {whole[:len(whole)-5], ""},
		"begins behind the end":   {with(put32(payloadOffsetAt, uint32(len(whole)))), ""},
		"begins far behind":       {with(put32(payloadOffsetAt, 1<<32-1)), ""},
		"ends behind the end":     {with(put32(payloadLengthAt, uint32(len(text)+5+4))), ""},
		"ends far behind":         {with(put32(payloadLengthAt, 1<<32-1)), ""},
		"both far behind":         {with(func(image []byte) { put32(payloadOffsetAt, 1<<32-1)(image); put32(payloadLengthAt, 1<<32-1)(image) }), ""},
		"no bytes":                {with(put32(payloadLengthAt, 4)), ""},
		"less than its size":      {with(put32(payloadLengthAt, 3)), ""},
		"length 0":                {with(put32(payloadLengthAt, 0)), ""},
	} {
		got, err := payload(tt.image)
		if string(got) != tt.want || (tt.want == "") != errors.Is(err, errNoBzImage) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

// FuzzPayload: the payload of an image is read back, and no byte outside of the image for any
// offsets in it.
func FuzzPayload(f *testing.F) {
	f.Add(byte(27), uint16(1000), []byte("packed"), uint32(1000), uint32(10))
	f.Add(byte(0), uint16(0), []byte("x"), uint32(0), uint32(5))
	f.Add(byte(255), uint16(65535), []byte(""), uint32(1<<32-1), uint32(1<<32-1))
	f.Fuzz(func(t *testing.T, setupSects byte, decompressor uint16, packed []byte, offset, length uint32) {
		image := bzImage(setupSects, uint32(decompressor), packed)
		got, err := payload(image)
		if !bytes.Equal(got, packed) || (err == nil) != (len(packed) > 0) {
			t.Errorf("wrote %q, read %q, %v", packed, got, err)
		}
		binary.LittleEndian.PutUint32(image[payloadOffsetAt:], offset)
		binary.LittleEndian.PutUint32(image[payloadLengthAt:], length)
		if got, err := payload(image); err == nil && (len(got) == 0 || uint64(len(got))+uint64(offset) > uint64(len(image)) || len(got) != int(length)-4) {
			t.Errorf("%d bytes of an image of %d, offset %d, length %d", len(got), len(image), offset, length)
		}
	})
}

// testVmlinux is an ELF file's header with more behind it than a block of LZ4's has.
func testVmlinux(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	header := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Ehsize: 64}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	if err := binary.Write(&b, binary.LittleEndian, header); err != nil {
		t.Fatal(err)
	}
	for i := range uint32(9 << 8) { // 9 MiB
		b.Write(bytes.Repeat(binary.LittleEndian.AppendUint32(nil, i), 1<<10))
	}
	return b.Bytes()
}

// packers pack as scripts/Makefile.lib of the kernel does.
var packers = map[string]func(content []byte) ([]byte, error){
	"xz": func(content []byte) ([]byte, error) {
		cmd := exec.Command("xz", "--check=crc32", "--x86", "--lzma2=preset=0", "--stdout")
		cmd.Stdin = bytes.NewReader(content)
		return cmd.Output()
	},
	"zstd": func(content []byte) ([]byte, error) {
		w, err := zstd.NewWriter(nil, zstd.WithWindowSize(128<<20)) // as level 22 has it
		if err != nil {
			return nil, err
		}
		return w.EncodeAll(content, nil), w.Close()
	},
	"lz4": func(content []byte) ([]byte, error) {
		var b bytes.Buffer
		w := lz4.NewWriter(&b)
		err := w.Apply(lz4.LegacyOption(true))
		if err == nil {
			_, err = w.Write(content)
		}
		err = errors.Join(err, w.Close())
		return b.Bytes(), err
	},
}

func TestUnpackPayload(t *testing.T) {
	kernel := testVmlinux(t)
	for name, pack := range packers {
		t.Run(name, func(t *testing.T) {
			packed, err := pack(kernel)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := unpackPayload(packed); err != nil || !bytes.Equal(got, kernel) {
				t.Errorf("got %d of %d bytes, %v", len(got), len(kernel), err)
			}
			if _, err := unpackPayload(packed[:len(packed)/2]); err == nil {
				t.Error("half of it: no error")
			}
			noELF, err := pack([]byte(strings.Repeat("no ELF ", 100)))
			if err != nil {
				t.Fatal(err)
			}
			var format *elf.FormatError
			if _, err := unpackPayload(noELF); !errors.As(err, &format) {
				t.Errorf("what is not an ELF file: %v", err)
			}
		})
	}
	for _, text := range []string{"", "BZh91AY", "\x1f\x8b\x08\x00", string(kernel[:64])} {
		if _, err := unpackPayload([]byte(text)); !errors.Is(err, errPacked) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestReadAllIsLimited(t *testing.T) {
	for most, want := range map[int64]string{4: "the kernel is larger than 4 bytes", 5: "", 6: ""} {
		got, err := readAll(strings.NewReader("12345"), most)
		if want == "" && (err != nil || string(got) != "12345") || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("at most %d: %q, %v", most, got, err)
		}
	}
}

// TestVmlinux: the unpacked kernel is kept for as long as the image is the same, then replaced, and
// readable for all.
func TestVmlinux(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("ISCSIROOT_CACHE", cache)
	k := Kernel{Image: filepath.Join(t.TempDir(), "vmlinuz"), Release: "6.1.0"}
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unpacked := func() (string, string) {
		t.Helper()
		file, err := k.Vmlinux()
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return file, string(content)
	}
	var files []string
	for _, end := range []string{"one", "two"} {
		kernel := append(testVmlinux(t), end...)
		packed, err := packers["zstd"](kernel)
		if err != nil {
			t.Fatal(err)
		}
		write(k.Image, bzImage(27, 512, packed))
		file, content := unpacked()
		if content != string(kernel) || !strings.HasPrefix(filepath.Base(file), k.Release+"-") {
			t.Errorf("%s: %d bytes, not %d", file, len(content), len(kernel))
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o644 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		write(file, []byte("kept"))
		if again, content := unpacked(); again != file || content != "kept" {
			t.Errorf("unpacked again: %s, %d bytes", again, len(content))
		}
		files = append(files, file)
	}
	if left, err := os.ReadDir(filepath.Dir(files[0])); err != nil || len(left) != 1 || files[0] == files[1] {
		t.Errorf("kept %v of %q, %v", left, files, err)
	}
	write(k.Image, []byte("no image"))
	if _, err := k.Vmlinux(); !errors.Is(err, errNoBzImage) || !strings.HasPrefix(err.Error(), "unpack kernel "+k.Image+": ") {
		t.Errorf("no image: %v", err)
	}
	k.Image += "-none"
	if _, err := k.Vmlinux(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}
