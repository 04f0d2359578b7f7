package boot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// readCredentials reads the image's file of secrets, which may be missing. It must belong to owner
// (root, in a boot), with no access for others: an image without these modes is refused.
func readCredentials(path string, owner uint32) ([]bootspec.Credential, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if err := private(&st, owner); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	text := make([]byte, bootspec.MaxCredentials+1)
	defer clear(text)
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return bootspec.ParseCredentials(text[:n])
}

// private returns why a file may not hold secrets; nil: it may.
func private(st *unix.Stat_t, owner uint32) error {
	const form = "in the image it must belong to root and have mode 0600"
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("not a regular file: " + form)
	case st.Uid != owner:
		return fmt.Errorf("belongs to user %d: %s", st.Uid, form)
	case st.Mode&0o077 != 0:
		return fmt.Errorf("has mode %04o: %s", st.Mode&0o7777, form)
	}
	return nil
}
