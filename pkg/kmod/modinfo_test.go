package kmod

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// realModules are files of Debian's linux-image-6.1.0-56-amd64, of which only the headers,
// .modinfo, .shstrtab and of most .strtab are left.
func realModules(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/modules/*.ko")
	if err != nil || len(files) < 9 {
		t.Fatalf("testdata/modules: %d files, %v", len(files), err)
	}
	return files
}

func readInfoFile(t *testing.T, name string) Info {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata/modules", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := ReadInfo(f)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

const vermagic61 = "6.1.0-56-amd64 SMP preempt mod_unload modversions"

func TestReadInfoOfDebian(t *testing.T) {
	for name, want := range map[string]Info{
		"virtio_net.ko": {
			Name: "virtio_net", Depends: []string{"virtio_ring", "virtio", "net_failover"}, Aliases: []string{"virtio:d00000001v*"},
			Vermagic: vermagic61, Ethernet: true,
		},
		"libcrc32c.ko": {Name: "libcrc32c", Softdeps: []string{"pre: crc32c"}, Vermagic: vermagic61},
		"ext4.ko": {
			Name: "ext4", Depends: []string{"jbd2", "mbcache", "crc16"},
			Aliases:  []string{"fs-ext4", "ext3", "fs-ext3", "ext2", "fs-ext2"},
			Softdeps: []string{"pre: crypto-crc32c"}, Vermagic: vermagic61,
		},
	} {
		got := readInfoFile(t, name)
		if name == "ext4.ko" {
			got.Depends = inOrder(got.Depends)
			want.Depends = inOrder(want.Depends)
			got.Aliases = inOrder(got.Aliases)
			want.Aliases = inOrder(want.Aliases)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := readInfoFile(t, "jbd2.ko").Release(); got != "6.1.0-56-amd64" {
		t.Errorf("release %q", got)
	}
}

// moduleFile returns a module file with only what ReadInfo reads.
func moduleFile(info Info, layout elfLayout) []byte {
	var text strings.Builder
	add := func(key, value string) { text.WriteString(key + "=" + value + "\x00") }
	add("license", "GPL")
	add("depends", strings.Join(info.Depends, ","))
	for _, a := range info.Aliases {
		add("alias", a)
	}
	for _, f := range info.Firmware {
		add("firmware", f)
	}
	for _, s := range info.Softdeps {
		add("softdep", s)
	}
	add("name", info.Name)
	add("vermagic", info.Vermagic+" ")
	symbols := "\x00init_module\x00"
	if info.Ethernet {
		symbols += ethernetSymbols[0] + "\x00"
	}
	names := "\x00.modinfo\x00.strtab\x00.shstrtab\x00.bss\x00"
	return elfBytes(layout, 3, []elfSection{
		{},
		{name: 28, kind: shtNobits, length: 1 << 40},
		{name: 1, kind: 1, data: text.String()},
		{name: 18, kind: 3, data: names},
		{name: 10, kind: 3, data: symbols},
	})
}

type elfSection struct {
	name, kind uint32
	data       string
	length     uint64
}

// elfBytes lays out an ELF file: header, sections, section headers.
func elfBytes(layout elfLayout, names int, sections []elfSection) []byte {
	le := binary.LittleEndian
	put := func(b []byte, at int, v uint64) {
		if layout.wide {
			le.PutUint64(b[at:], v)
		} else {
			le.PutUint32(b[at:], uint32(v))
		}
	}
	out := make([]byte, layout.headerSize)
	var table []byte
	for _, s := range sections {
		h := make([]byte, layout.size)
		le.PutUint32(h, s.name)
		le.PutUint32(h[4:], s.kind)
		put(h, layout.offset, uint64(len(out)))
		put(h, layout.length, max(s.length, uint64(len(s.data))))
		out = append(out, s.data...)
		table = append(table, h...)
	}
	copy(out, elfMagic)
	out[eiClass], out[eiData], out[eType] = elfClass32, elfData2LSB, etRel
	if layout.wide {
		out[eiClass] = elfClass64
	}
	put(out, layout.shoff, uint64(len(out)))
	le.PutUint16(out[layout.shnum-2:], uint16(layout.size))
	le.PutUint16(out[layout.shnum:], uint16(len(sections)))
	le.PutUint16(out[layout.shstrndx:], uint16(names))
	return append(out, table...)
}

func TestReadInfoBothWidths(t *testing.T) {
	want := Info{
		Name: "e1000", Depends: []string{"mii", "ptp"}, Aliases: []string{"pci:v*d*"}, Softdeps: []string{"pre: a post: b"}, Firmware: []string{"e100/x.bin"},
		Vermagic: "2.6.18-4-686 SMP mod_unload 686 REGPARM gcc-4.1", Ethernet: true,
	}
	for _, layout := range []elfLayout{elf32, elf64} {
		got, err := ReadInfo(bytes.NewReader(moduleFile(want, layout)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("wide %v (-want +got):\n%s", layout.wide, diff)
		}
	}
}

func TestReadInfoRefuses(t *testing.T) {
	good := moduleFile(Info{Name: "a"}, elf64)
	change := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return b
	}
	huge := bytes.Clone(good)
	table := int(binary.LittleEndian.Uint64(good[elf64.shoff:]))
	binary.LittleEndian.PutUint64(huge[table+2*elf64.size+elf64.length:], maxModinfo+1)
	for name, b := range map[string][]byte{
		"empty": nil, "text": []byte(strings.Repeat("#!/bin/sh\n", 10)), "cut": good[:len(good)-1],
		"header only": good[:elf64.headerSize-1], "big endian": change(eiData, 2), "program": change(eType, 2),
		"class": change(eiClass, 3), "entry size": change(elf64.shnum-2, 63), "names": change(elf64.shstrndx, 200),
		"table far away": change(elf64.shoff+7, 0x7f), "table before the start": change(elf64.shoff+7, 0xff),
		"huge": huge, "no .modinfo": bytes.Replace(good, []byte("\x00.modinfo"), []byte("\x00.modinf0"), 1),
	} {
		if info, err := ReadInfo(bytes.NewReader(b)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	if _, err := ReadInfo(brokenReader{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a read error became %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) ReadAt([]byte, int64) (int, error) { return 0, os.ErrClosed }

// FuzzReadInfo: what is read can be written and is read back the same.
func FuzzReadInfo(f *testing.F) {
	for _, name := range realModules(f) {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(moduleFile(Info{Name: "a", Depends: []string{"b"}}, elf32))
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := ReadInfo(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := ReadInfo(bytes.NewReader(moduleFile(info, elf64)))
		if diff := cmp.Diff(info, again); err != nil || diff != "" {
			t.Errorf("round trip: %v (-want +got):\n%s", err, diff)
		}
	})
}
