package blockdev

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first 2048 bytes of file systems made by mke2fs 1.47 with the options in the name, see
// testdata/README.
func TestProbeExtVariants(t *testing.T) {
	tests := map[string]string{
		"ext2.sb":              "ext2",
		"ext3.sb":              "ext3",
		"ext4.sb":              "ext4",
		"ext4-nojournal.sb":    "ext4",
		"ext4-1k-blocks.sb":    "ext4",
		"ext3-journal-dev.sb":  "jbd",
		"ext4-bigalloc-64k.sb": "ext4",
	}
	for name, want := range tests {
		got, err := ProbeDevice(t.Context(), filepath.Join("testdata", name))
		if got.Type != want || err != nil {
			t.Errorf("%s: got %+v, %v, want %q", name, got, err, want)
		}
	}
}

// What blkid 2.38.1 prints of the same images, see testdata/README.
func TestProbeReal(t *testing.T) {
	const id = "11111111-2222-4333-8444-5555555555"
	tests := map[string]Filesystem{
		"btrfs":        {"btrfs", id + "02", "btrfs label", ""},
		"erofs":        {"erofs", id + "04", "", ""},
		"ext2-unclean": {"ext2", "3310fa39-f939-4bb6-8fc3-e89a16d966ff", "", "was not unmounted cleanly and has no journal: check it at the target with e2fsck"},
		"ext4":         {"ext4", id + "08", "ext4 label", ""},
		"ext4-dirty":   {"ext4", "94d3e593-8bd3-4b12-aa66-b77e2e36bc3c", "", "was not unmounted cleanly: mounting it replays its journal"},
		"ext4-errors":  {"ext4", id + "08", "ext4 label", "has recorded errors: check it at the target with e2fsck"},
		"f2fs":         {"f2fs", id + "03", "f2fs läbel", ""},
		"fat12":        {"vfat", "1234-5678", "FAT TWELVE", ""},
		"fat16":        {"vfat", "ABCD-EF01", "", ""},
		"fat32":        {"vfat", "0BAD-CAFE", "ROOTDIR", ""},
		"iso":          {"iso9660", "2026-11-22-19-14-10-00", "ISO_LABEL", ""},
		"iso-joliet":   {"iso9660", "2026-11-22-19-14-10-00", "joliet label", ""},
		"iso-xorriso":  {"iso9660", "2023-11-14-22-13-20-00", "XORRISO ISO", ""},
		"jbd":          {"jbd", "8383c9b5-9197-46c9-b4c6-d936ddd35a7c", "jlabel", ""},
		"luks1":        {"crypto_LUKS", id + "05", "", ""},
		"luks2":        {"crypto_LUKS", id + "06", "luks label", ""},
		"lvm":          {"LVM2_member", "1Yq1pj-abcd-EFGH-ijkl-MNOP-qrst-uvwxyz", "", ""},
		"md090":        {"linux_raid_member", "4d1dcb13-7827-c705-f41c-dd8604e94251", "", ""},
		"md10":         {"linux_raid_member", "130c4dcd-0e15-93d7-1c1c-5ce1c3627be0", "host:name1", ""},
		"md11":         {"linux_raid_member", "8b48db0d-9397-4782-38ed-13fdadfc4d73", "host:name2", ""},
		"md12":         {"linux_raid_member", "f04d515d-e131-49ca-51a0-4cec47640f03", "host:name3", ""},
		"squashfs":     {"squashfs", "", "", ""},
		"swap":         {"swap", id + "07", "swap label", ""},
		"xfs":          {"xfs", id + "01", "xfs label", ""},
		"xfs4":         {"xfs", "09a9bd13-30a8-4d21-8cce-99dd62272fe9", "", ""},
		"gpt":          {},
		"gpt4k":        {},
		"mbr":          {},
	}
	for _, name := range sparseNames(t) {
		want, ok := tests[name]
		if !ok {
			t.Errorf("%s: blkid's output has no line for it", name)
		}
		img := readSparse(t, name)
		got, err := Probe(img, img.size)
		if got != want || (want.Type == "") != errors.Is(err, ErrNoFilesystem) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
}

// A type that cannot be root is an error that names it.
func TestRoot(t *testing.T) {
	for typ, want := range map[string]string{
		"crypto_LUKS":       "this is LUKS, which is not supported",
		"LVM2_member":       "this is an LVM physical volume, on which root is in a logical volume",
		"linux_raid_member": "this is a member of an md array, and root may be on the array",
		"swap":              "this is swap space, not a file system",
		"vfat":              "this is vfat, which cannot hold a root",
	} {
		err := Filesystem{Type: typ}.Root()
		var u *UnsupportedError
		if !errors.As(err, &u) || u.Type != typ || err.Error() != want {
			t.Errorf("%s: %v", typ, err)
		}
	}
	for _, typ := range []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "erofs", "squashfs", "iso9660"} {
		if err := (Filesystem{Type: typ}).Root(); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

func TestProbeNothing(t *testing.T) {
	short := readSparse(t, "ext4")
	short.size = extOffset + extEnd - 1
	for name, r := range map[string]struct {
		io.ReaderAt
		size int64
	}{
		"empty":                 {bytes.NewReader(nil), 0},
		"zeros":                 {bytes.NewReader(make([]byte, 4096)), 4096},
		"short":                 {short, short.size},
		"shorter than its size": {bytes.NewReader(make([]byte, 4096)), 1 << 20},
	} {
		if fsys, err := Probe(r, r.size); !errors.Is(err, ErrNoFilesystem) {
			t.Errorf("%s: %+v, %v", name, fsys, err)
		}
	}
	if _, err := ProbeDevice(t.Context(), "testdata"); err == nil || errors.Is(err, ErrNoFilesystem) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := ProbeDevice(t.Context(), "testdata/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// A magic that matches by chance, or a part of a superblock, is not a file system.
func TestProbeDamaged(t *testing.T) {
	tests := []struct {
		image string
		off   int64
		b     []byte
	}{
		{"ext4", extOffset + extBlockLogAt, []byte{7}},
		{"ext4", extOffset + extInodesAt, []byte{0, 0, 0, 0}},
		{"ext4", extOffset + extBlocksAt, []byte{0, 0, 0, 0}},
		{"xfs", 4, []byte{0, 0, 3, 0}},
		{"xfs", 102, []byte{0, 0}},
		{"erofs", erofsOffset + 12, []byte{3}},
		{"squashfs", 28, []byte{3}},
		{"iso", isoOffset, []byte{0}},
		{"fat16", 11, []byte{0, 0}},
		{"fat16", 0x36, []byte("ABC")},
		{"swap", 1024, []byte{2}},
		{"luks1", 7, []byte{3}},
		{"lvm", 512, []byte("LABELTWO")},
		{"lvm", 512 + 8, []byte{2}},
		{"md090", 5000<<10&^(64<<10-1) - 64<<10 + 4, []byte{9}},
		{"md11", 4, []byte{2}},
		{"md11", 144, []byte{8}},
	}
	for _, tt := range tests {
		img := readSparse(t, tt.image)
		img.put(tt.off, tt.b)
		if got, err := Probe(img, img.size); !errors.Is(err, ErrNoFilesystem) {
			t.Errorf("%s with %x at %d: got %+v, %v", tt.image, tt.b, tt.off, got, err)
		}
	}
}

// f2fs with a damaged first superblock is mounted by the second.
func TestProbeF2FSBackup(t *testing.T) {
	img := readSparse(t, "f2fs")
	b := make([]byte, 2048)
	if _, err := img.ReadAt(b, f2fsOffset); err != nil {
		t.Fatal(err)
	}
	img.put(f2fsOffset+f2fsBackup, b)
	img.put(f2fsOffset, make([]byte, 4))
	if got, err := Probe(img, img.size); got.Type != "f2fs" || got.Label != "f2fs läbel" || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Superblocks inside a container are ignored; two file systems are ambiguous.
func TestProbeSeveral(t *testing.T) {
	ext := readSparse(t, "ext4")
	_, sb := ext.first(1024)
	md := readSparse(t, "md10")
	md.put(extOffset, sb)
	if got, err := Probe(md, md.size); got.Type != "linux_raid_member" || err != nil {
		t.Errorf("ext4 in md 1.0: got %+v, %v", got, err)
	}
	for typ, magic := range map[string]string{"isw_raid_member": "Intel Raid ISM Cfg Sig. 1.3.00", "ddf_raid_member": strings.Repeat("\x00", 512) + "\xde\x11\xde\x11"} {
		member := readSparse(t, "ext4")
		member.put(member.size-1024, []byte(magic))
		if got, err := Probe(member, member.size); got.Type != typ || err != nil || got.Root() == nil {
			t.Errorf("ext4 in %s: got %+v, %v", typ, got, err)
		}
	}
	xfs := readSparse(t, "xfs")
	xfs.put(extOffset, sb)
	got, err := Probe(xfs, xfs.size)
	var several *AmbiguousError
	if !errors.As(err, &several) || len(several.Found) != 2 || err.Error() != "has the superblocks of several file systems: ext4, xfs" {
		t.Errorf("ext4 and xfs: got %+v, %v", got, err)
	}
}

// A name in Joliet has 16 characters at most: the longer one is used.
func TestProbeJolietCut(t *testing.T) {
	img := readSparse(t, "iso-joliet")
	img.put(isoOffset+40, []byte("JOLIET LABEL IS CUT HERE        "))
	if got, err := Probe(img, img.size); got.Label != "JOLIET LABEL IS CUT HERE" || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestProbeDirtyBtrfs(t *testing.T) {
	img := readSparse(t, "btrfs")
	img.put(btrfsOffset+0x60, []byte{1})
	if got, err := Probe(img, img.size); got.Dirty == "" || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// broken is a device that returns errors from an offset on.
type broken struct {
	io.ReaderAt
	from int64
}

var errMedium = errors.New("medium error")

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, errMedium
	}
	return b.ReaderAt.ReadAt(p, off)
}

// An error of the device is not a missing file system.
func TestProbeError(t *testing.T) {
	img := readSparse(t, "ext4")
	for _, from := range []int64{0, headSize} {
		if _, err := Probe(broken{img, from}, img.size); !errors.Is(err, errMedium) {
			t.Errorf("from %d: %v", from, err)
		}
	}
}

// chunk is an image that is zero but for one stretch, and fails the test at reads beyond its size.
type chunk struct {
	t    testing.TB
	size int64
	off  int64
	b    []byte
}

func (c chunk) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > c.size || len(p) > headSize {
		c.t.Errorf("read %d bytes at %d of %d", len(p), off, c.size)
		return 0, io.EOF
	}
	clear(p)
	if off < c.off && c.off-off < int64(len(p)) {
		copy(p[c.off-off:], c.b)
	} else if off >= c.off && off-c.off < int64(len(c.b)) {
		copy(p, c.b[off-c.off:])
	}
	return len(p), nil
}

func FuzzProbe(f *testing.F) {
	for _, name := range sparseNames(f) {
		img := readSparse(f, name)
		off, b := img.first(4096)
		f.Add(img.size, off, b)
	}
	f.Fuzz(func(t *testing.T, size, off int64, b []byte) {
		if size < 0 || off < 0 || off > 1<<62 || len(b) > 1<<16 {
			return
		}
		fsys, err := Probe(chunk{t, size, off, b}, size)
		var several *AmbiguousError
		switch {
		case errors.As(err, &several):
			if len(several.Found) < 2 || fsys != (Filesystem{}) {
				t.Errorf("got %+v, %v", fsys, err)
			}
		case errors.Is(err, ErrNoFilesystem):
			if fsys != (Filesystem{}) {
				t.Errorf("got %+v, %v", fsys, err)
			}
		case err != nil || fsys.Type == "" || len(fsys.Label) > 4*512 || len(fsys.UUID) > 40:
			t.Errorf("got %+v, %v", fsys, err)
		}
	})
}
