package arrays

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
)

// Activate implements blockdev.Layer: it starts an array, and makes a link to it as udev does.
func (l *Layer) Activate(ctx context.Context, a blockdev.Assembly) ([]*blockdev.Device, error) {
	p := a.Plan.(*assembly)
	started := p.node == ""
	if started {
		if err := l.run(ctx, p); err != nil {
			return nil, fmt.Errorf("array %s: %w", title(p.id), err)
		}
	}
	d, err := l.device(p)
	if err == nil {
		err = l.makeLink(p)
	}
	if err != nil && started {
		err = errors.Join(err, l.Kernel.Stop(p.node))
		delete(l.Mine, p.node)
		p.node = ""
	}
	if err != nil {
		return nil, fmt.Errorf("array %s: %w", title(p.id), err)
	}
	d.Parents = p.start
	if started {
		l.warn(p)
	}
	return []*blockdev.Device{d}, nil
}

// warn names what an array that was started does not have.
func (l *Layer) warn(p *assembly) {
	if p.plan.Missing > 0 {
		l.Warnf("array %s is started without %d of its members: it is not redundant until they are back", title(p.id), p.plan.Missing)
	}
	for i := range p.left {
		l.Warnf("array %s is started without %s: %s", title(p.id), p.left[i].Place, p.left[i].Why)
	}
}

// run starts an array under a free number. A driver may be built in, so a module that is missing
// counts only if the kernel lacks it too.
func (l *Layer) run(ctx context.Context, p *assembly) error {
	defer sequence.Blocking(ctx, "start of array "+title(p.id))()
	missing := l.Kernel.Load(ctx, "md_mod")
	if err := l.Kernel.Load(ctx, p.plan.Module); missing == nil {
		missing = err
	}
	var numbers []array.Number
	for _, d := range p.start {
		numbers = append(numbers, array.Number(d.Number))
	}
	for _, node := range l.nodes(p.id) {
		err := l.Kernel.Start(node, p.plan.Minor, numbers)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		var lacks *array.ModuleError
		if errors.As(err, &lacks) && missing != nil {
			err = missing
		}
		if errors.As(err, &lacks) || missing != nil && err != nil {
			err = sequence.WithHint(err, "build the image with --storage md")
		}
		if errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) {
			err = sequence.WithHint(err, "a member is write-protected at its target, and the kernel starts no array on it")
		}
		if err == nil {
			p.node, l.Mine[node] = node, true
		}
		return err
	}
	return errNoNumber
}

var errNoNumber = errors.New("no number is free")

// maxNumber is the highest number that mdadm gives an array, and the first (mdadm(8),
// "Auto-Assembly").
const maxNumber = 127

// nodes returns the names that an array may get from the kernel: a name that is a number is that
// number, as mdadm does it, and other arrays get the highest number that is free.
func (l *Layer) nodes(id bootspec.ArrayID) (out []string) {
	if n, err := strconv.ParseUint(id.ShortName(), 10, 9); err == nil && strconv.FormatUint(n, 10) == id.ShortName() {
		out = append(out, "md"+id.ShortName())
	}
	for n := maxNumber; n >= 0; n-- {
		out = append(out, "md"+strconv.Itoa(n))
	}
	free := out[:0]
	for _, node := range out {
		if _, err := os.Stat(filepath.Join(l.Sys, "class/block", node)); errors.Is(err, fs.ErrNotExist) {
			free = append(free, node)
		}
	}
	return free
}

// device returns the device of an array that runs. Its first open makes the kernel look for
// partitions.
func (l *Layer) device(p *assembly) (*blockdev.Device, error) {
	f, err := l.Open(filepath.Join(l.Dev, p.node))
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	d, err := blockdev.Read(l.Sys, p.node)
	if err != nil {
		return nil, err
	}
	d.Array = &p.id
	return d, nil
}

// makeLink makes a link that udev makes too. A second array of a name gets a number, as mdadm(8)
// does it.
func (l *Layer) makeLink(p *assembly) error {
	name := p.id.ShortName()
	if _, ok := bootspec.ParseDevice("/dev/md/" + name); !ok {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(l.Dev, "md"), 0o755); err != nil {
		return err
	}
	for n := -1; ; n++ {
		p.link = "md/" + name
		if n >= 0 {
			p.link = fmt.Sprintf("md/%s_%d", name, n)
		}
		path := filepath.Join(l.Dev, p.link)
		err := os.Symlink("../"+p.node, path)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if old, err := os.Readlink(path); err == nil && old == "../"+p.node {
			return nil
		}
	}
}

// Stopped notes that Deactivate has returned: the name may be that of another array from now on.
func (l *Layer) Stopped(a blockdev.Assembly) { delete(l.Mine, a.Plan.(*assembly).node) }

// Deactivate implements blockdev.Layer. An array that ran before the search stays.
func (l *Layer) Deactivate(ctx context.Context, a blockdev.Assembly) error {
	p := a.Plan.(*assembly)
	if !l.Mine[p.node] {
		return nil
	}
	err := l.Kernel.Stop(p.node)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if ctx.Err() != nil { // it took long: another array may have the name now
		return ctx.Err()
	}
	if p.link != "" {
		_ = os.Remove(filepath.Join(l.Dev, p.link))
	}
	return nil
}
