package initramfs

import (
	"fmt"
	"os"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// maxImageFile bounds the images that are read, in bytes.
const maxImageFile = 2 << 30

// Open reads an image from a file.
func Open(name string) (*archive.Tree, error) {
	_, t, err := readTree(name)
	return t, err
}

// readTree returns the bytes of an image and what is in it.
func readTree(name string) ([]byte, *archive.Tree, error) {
	data, err := readImage(name)
	if err != nil {
		return nil, nil, err
	}
	t, err := archive.Read(data, archive.DefaultLimits)
	if err != nil {
		return nil, nil, fmt.Errorf("read image %s: %w", name, err)
	}
	return data, t, nil
}

// readImage returns the bytes of an image.
func readImage(name string) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read image %s: %w", name, cause(err))
	}
	switch {
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("read image %s: not a regular file", name)
	case st.Size() > maxImageFile:
		return nil, fmt.Errorf("read image %s: larger than %d bytes", name, int64(maxImageFile))
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read image %s: %w", name, cause(err))
	}
	return data, nil
}
