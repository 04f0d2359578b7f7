package initramfs

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"
)

// image is a checked Config: all that is left is to write it.
type image struct {
	cfg     Config
	tree    tree
	below   *below // may be nil
	machine elf.Machine
	sum     Summary
}

// prepare finds everything that goes into the image.
func prepare(ctx context.Context, cfg Config) (*image, error) {
	img := &image{cfg: cfg, tree: newTree()}
	if err := img.addInit(); err != nil {
		return nil, err
	}
	if cfg.Append != "" {
		var err error
		if img.below, err = openBelow(cfg.Append, cfg.limits()); err != nil {
			return nil, err
		}
	}
	if err := img.addModules(ctx, cfg); err != nil {
		return nil, err
	}
	if err := img.addWishes(); err != nil {
		return nil, err
	}
	if img.below == nil { // else its maker has decided on that
		var err error
		if img.sum.Links, err = img.tree.addLinks(cmp.Or(cfg.Root, "/")); err != nil {
			return nil, err
		}
	}
	if err := img.checkInit(); err != nil {
		return nil, err
	}
	if img.below != nil {
		img.below.strip(img.tree)
	}
	var err error
	if img.sum.Secret, err = img.holdsSecret(); err != nil {
		return nil, err
	}
	img.sum.Largest = img.tree.largest(10)
	return img, nil
}

// addInit puts the init program into the image.
func (img *image) addInit() error {
	init := programEntry(img.cfg.Init)
	switch {
	case len(img.cfg.Init) > 0:
	case len(img.cfg.PackedInit) > 0:
		program, err := UnpackInit(img.cfg.PackedInit)
		if err != nil {
			return err
		}
		init = programEntry(program)
	case img.cfg.InitPath == "":
		return errors.New("no init program given")
	default:
		if _, err := regularMode(img.cfg.InitPath); err != nil {
			return fmt.Errorf("init program: %w", err)
		}
		init.data, init.size = fileContent(img.cfg.InitPath), fileSize(img.cfg.InitPath)
	}
	return img.tree.add(initName, init)
}

// checkInit checks that the kernel can run the init program.
func (img *image) checkInit() error {
	data, err := img.tree[initName].data()
	if err != nil {
		return err
	}
	name := interpreter(data)
	_, own := img.tree[strings.TrimPrefix(name, "/")]
	if name != "" && !own && !img.below.has(name) {
		return fmt.Errorf("init program needs shared libraries, and %s is not in the image: build it with CGO_ENABLED=0", name)
	}
	return img.checkMachine(data)
}

// addWishes puts into the image what the user named.
func (img *image) addWishes() error {
	for _, f := range img.cfg.Files {
		if err := img.tree.addFile(f); err != nil {
			return err
		}
	}
	for _, dir := range img.cfg.Overlays {
		if err := img.tree.addOverlay(dir); err != nil {
			return err
		}
	}
	if img.cfg.Busybox != "" {
		if err := img.tree.addBusybox(img.cfg.Busybox); err != nil {
			return err
		}
	}
	warnings, err := img.tree.addParams(img.cfg)
	img.sum.Warnings = append(img.sum.Warnings, warnings...)
	return err
}

// largest returns the largest files of a tree, by size and name.
func (t tree) largest(n int) []Sized {
	var out []Sized
	for name, e := range t {
		if e.size > 0 {
			out = append(out, Sized{name, e.size})
		}
	}
	slices.SortFunc(out, func(a, b Sized) int { return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Name, b.Name)) })
	return out[:min(n, len(out))]
}

func fileSize(name string) int64 {
	st, err := os.Stat(name)
	if err != nil {
		return 0 // reading it returns the cause
	}
	return st.Size()
}

// write writes the image: microcode, the image of Append, and this one.
func (img *image) write(ctx context.Context, w io.Writer) (Summary, error) {
	if img.cfg.UKI == nil {
		return img.writeSegments(ctx, w)
	}
	var initrd bytes.Buffer
	sum, err := img.writeSegments(ctx, &initrd)
	if err != nil {
		return Summary{}, err
	}
	out := &counter{w: w}
	if err := img.cfg.UKI.write(out, initrd.Bytes(), sum.Kernel); err != nil {
		return Summary{}, err
	}
	sum.Bytes = out.n
	return sum, nil
}

// writeSegments writes the initramfs.
func (img *image) writeSegments(ctx context.Context, w io.Writer) (Summary, error) {
	out := &counter{w: w}
	if err := writeMicrocode(ctx, out, img.cfg.Microcode, img.cfg.ModTime); err != nil {
		return Summary{}, err
	}
	if img.below != nil {
		if _, err := out.Write(img.below.data); err != nil {
			return Summary{}, err
		}
		if _, err := io.WriteString(out, img.below.pad()); err != nil {
			return Summary{}, err
		}
	}
	unpacked, err := img.writeArchives(ctx, out)
	if err != nil {
		return Summary{}, err
	}
	sum := img.sum
	sum.Files, sum.Unpacked, sum.Bytes = len(img.tree), unpacked, out.n
	return sum, nil
}

// writeArchives writes the tree, in one archive or two, and returns how many bytes that is
// unpacked.
func (img *image) writeArchives(ctx context.Context, w io.Writer) (int64, error) {
	z, err := compressor(ctx, w, img.cfg.Compression)
	if err != nil {
		return 0, err
	}
	in := &counter{w: z, tell: img.progress()}
	files := img.tree
	if img.packed() {
		files = maps.Clone(files)
		delete(files, initName)
	}
	if err := files.write(ctx, in, img.cfg.ModTime); err != nil {
		return 0, errors.Join(err, z.Close())
	}
	if err := z.Close(); err != nil {
		return 0, fmt.Errorf("compress: %w", err)
	}
	if img.packed() {
		err = img.writePacked(ctx, w, in)
	}
	return in.n, err
}

// progress returns what reports how far an image is; nil if the configuration has no receiver.
func (img *image) progress() func(int64) {
	if img.cfg.Progress == nil {
		return nil
	}
	var total int64
	for _, e := range img.tree {
		total += e.size
	}
	return func(n int64) { img.cfg.Progress(min(n, total), total) }
}

// write writes the tree as a newc archive: sorted, with inode numbers of its own, one time for all
// and no owner.
func (t tree) write(ctx context.Context, w io.Writer, modTime uint32) error {
	records := cpio.Newc.Writer(whileLasts{ctx, w})
	for i, name := range t.names() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t[name].write(records, name, uint64(i)+1, modTime); err != nil {
			return err
		}
	}
	if err := cpio.WriteTrailer(records); err != nil {
		return fmt.Errorf("write the end of the archive: %w", err)
	}
	return nil
}

// content returns the content, which may be limit bytes.
func (e entry) content(limit int64) ([]byte, error) {
	switch {
	case e.source != "":
		return ReadRegular(e.source, limit)
	case e.data == nil:
		return nil, nil
	}
	return e.data()
}

// whileLasts writes as long as its context lasts: a compressor may take minutes for one file.
type whileLasts struct {
	ctx context.Context
	w   io.Writer
}

func (l whileLasts) Write(p []byte) (int, error) {
	if err := l.ctx.Err(); err != nil {
		return 0, err
	}
	return l.w.Write(p)
}

// record makes the archive's form of an entry.
func (e entry) record(name string, ino uint64, modTime uint32) (cpio.Record, error) {
	info := cpio.Info{Name: name, Ino: ino, Mode: e.mode, NLink: 1, MTime: uint64(modTime), Rmajor: e.major, Rminor: e.minor}
	if e.isDir() {
		info.NLink = 2
	}
	if e.data == nil {
		return cpio.Record{Info: info}, nil
	}
	data, err := e.data()
	if err != nil {
		return cpio.Record{}, err
	}
	info.FileSize = uint64(len(data))
	return cpio.Record{Info: info, ReaderAt: bytes.NewReader(data)}, nil
}

// write writes an entry.
func (e entry) write(w cpio.RecordWriter, name string, ino uint64, modTime uint32) error {
	rec, err := e.record(name, ino, modTime)
	if err == nil && e.source != "" {
		var done func()
		if rec.ReaderAt, rec.FileSize, done, err = openSource(e.source); err == nil {
			defer done()
		}
	}
	if err != nil {
		return err
	}
	if err := w.WriteRecord(rec); err != nil {
		return fmt.Errorf("write /%s: %w", name, err)
	}
	return nil
}

// Archive returns an archive of these files alone, uncompressed. The kernel unpacks it behind an
// image that is loaded before it.
func Archive(files []File) ([]byte, error) {
	t := tree{}
	for _, f := range files {
		if err := t.addFile(f); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	if err := t.write(context.Background(), &b, 0); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
