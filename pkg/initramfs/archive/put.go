package archive

import (
	"io"
	"strings"
)

// put does with an entry what the kernel does (init/initramfs.c: do_name, do_copy, do_symlink).
func (t *Tree) put(e Entry, data io.Reader) error {
	if e.trailers != t.ended {
		t.links, t.ended = map[linkKey]string{}, e.trailers // free_hash
	}
	if e.Odd != "" {
		t.lost(e, "%s", e.Odd)
		return t.left.err
	}
	t.oddName(e)
	var err error
	switch e.Type() {
	case TypeRegular:
		t.clean(e, e.Mode)
		err = t.regular(e, data)
	case TypeDir:
		t.clean(e, e.Mode)
		err = t.directory(e)
	case TypeSymlink:
		err = t.symlink(e, data)
	case TypeBlock, TypeChar, TypeFIFO, TypeSocket:
		t.clean(e, e.Mode)
		err = t.device(e)
	default:
		t.clean(e, e.Mode)
		t.lost(e, "its mode %#o has no type", e.Mode)
	}
	if err == nil {
		err = t.left.err
	}
	return err
}

// oddName notes a name that leads elsewhere than it seems to.
func (t *Tree) oddName(e Entry) {
	for part := range strings.SplitSeq(e.Name, "/") {
		if part == ".." {
			t.odd(e, "a name with .. in it, which cannot lead above the root")
			return
		}
	}
	switch {
	case strings.HasPrefix(e.Name, "/") && len(e.Name) > 1:
		t.odd(e, "a name with a slash before it, which is a name below the root")
	case strings.HasSuffix(e.Name, "/") && !(e.Type() == TypeDir):
		t.odd(e, "a name with a slash behind it, and no directory")
	}
}

// clean takes away what is at the entry's name if it is of another type than mode has: a directory
// only if it is empty (clean_path).
func (t *Tree) clean(e Entry, mode uint32) {
	p, err := t.walk(e.Name, false)
	if err != nil || p.node == nil || p.dir == nil || (p.node.Mode^mode)&TypeMask == 0 {
		return
	}
	if len(p.node.children) > 0 {
		return
	}
	delete(p.dir.children, p.base)
	if p.node.IsDir() || e.Type() == 0 {
		t.odd(e, "it takes away a %s of this name", typeNames[p.node.Type()])
	}
}

// typeNames are for messages.
var typeNames = map[uint32]string{
	TypeRegular: "file", TypeDir: "directory", TypeSymlink: "symbolic link", TypeBlock: "block device", TypeChar: "character device",
	TypeFIFO: "FIFO", TypeSocket: "socket",
}

// free finds a place where something new can be made (fs/namei.c: filename_create): not one that is
// taken.
func (t *Tree) free(e Entry) (p place, taken bool, err error) {
	p, err = t.walk(e.Name, false)
	switch {
	case err != nil:
		return p, false, err
	case p.dir == nil || p.node != nil:
		return p, true, nil
	case p.slash && e.Type() != TypeDir:
		return p, false, errNoDir
	}
	return p, false, nil
}

// link makes the entry another name of the file that it is a hard link to (maybe_link). done is
// false if it is the first name of its file; lost if there is nothing to link to any more.
func (t *Tree) link(e Entry) (done, lost bool, err error) {
	if e.NLink < 2 {
		return false, false, nil
	}
	key := linkKey{e.Major, e.Minor, e.Ino, e.Type()}
	first, ok := t.links[key]
	if !ok {
		t.links[key] = e.Name
		return false, false, t.left.take(100 + int64(len(e.Name)))
	}
	t.clean(e, 0)
	old, err := t.walk(first, false)
	if err != nil || old.node == nil || old.node.IsDir() {
		t.lost(e, "a hard link to %q, which is not there any more", first)
		return false, true, nil
	}
	p, taken, err := t.free(e)
	if err != nil || taken {
		t.lost(e, "a hard link to %q that cannot be made here", first)
		return false, true, nil
	}
	return true, false, t.node(p, old.node.inode)
}

// directory makes a directory, or sets owner and mode of an existing one.
func (t *Tree) directory(e Entry) error {
	p, taken, err := t.free(e)
	if err != nil {
		t.lost(e, "%v", err)
		return nil
	}
	if !taken {
		if err := t.node(p, &inode{Entry: e}); err != nil {
			return err
		}
	}
	t.attributes(e)
	t.times = append(t.times, dirTime{e.Name, e.MTime})
	return t.left.take(40 + int64(len(e.Name)))
}

// attributes gives what the entry's name leads to its owner and mode (init_chown and init_chmod,
// which follow links).
func (t *Tree) attributes(e Entry) {
	if p, err := t.walk(e.Name, true); err == nil && p.node != nil {
		i := p.node.inode
		t.RootSet = t.RootSet || p.node == t.root
		i.UID, i.GID, i.Mode = e.UID, e.GID, i.Type()|e.Mode&^TypeMask
	}
}

// setTimes sets the times of directories, the first entry of one last, as the kernel's list is.
func (t *Tree) setTimes() {
	for i := len(t.times) - 1; i >= 0; i-- {
		if p, err := t.walk(t.times[i].name, false); err == nil && p.node != nil {
			p.node.MTime = t.times[i].mtime
		}
	}
}

// device makes a device node, a FIFO or a socket.
func (t *Tree) device(e Entry) error {
	if done, lost, err := t.link(e); done || lost || err != nil {
		return err
	}
	p, taken, err := t.free(e)
	if err != nil || taken && p.dir == nil {
		t.lost(e, "%v", orTaken(err))
		return nil
	}
	if !taken {
		if err := t.node(p, &inode{Entry: e}); err != nil {
			return err
		}
	}
	t.attributes(e) // an existing one keeps its numbers
	if p, err := t.walk(e.Name, false); err == nil && p.node != nil {
		p.node.MTime = e.MTime
	}
	return nil
}

// symlink makes a symbolic link.
func (t *Tree) symlink(e Entry, data io.Reader) error {
	text, err := io.ReadAll(data) // at most PATH_MAX bytes
	if err != nil {
		return err
	}
	target, _, _ := strings.Cut(string(text), "\x00")
	t.clean(e, 0)
	p, taken, err := t.free(e)
	switch {
	case err != nil || taken:
		t.lost(e, "%v", orTaken(err))
		return nil
	case len(target) >= maxName:
		t.lost(e, "its target has %d bytes", len(target))
		return nil
	}
	e.Mode = TypeSymlink | 0o777
	i := &inode{Entry: e, size: int64(len(target)), data: []byte(target), loaded: true}
	if err := t.left.take(i.size); err != nil {
		return err
	}
	return t.node(p, i)
}
