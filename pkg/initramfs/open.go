package initramfs

import (
	"cmp"
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// Open reads from a file what is in an image. The content of its files stays in the image until it
// is requested (archive.Index). An image that is above the limits is an *archive.LimitError.
func Open(name string, l archive.Limits) (*archive.Tree, error) {
	_, t, err := readTree(name, l)
	return t, err
}

// readTree is Open, and returns the bytes of the image.
func readTree(name string, l archive.Limits) ([]byte, *archive.Tree, error) {
	data, err := readImage(name, l)
	if err != nil {
		return nil, nil, fmt.Errorf("read image %s: %w", name, err)
	}
	t, err := archive.Index(data, l)
	if err != nil {
		return nil, nil, fmt.Errorf("read image %s: %w", name, err)
	}
	return data, t, nil
}

// readImage returns the bytes of an image.
func readImage(name string, l archive.Limits) ([]byte, error) {
	f, st, err := OpenRegular(name)
	if err != nil {
		return nil, err
	}
	f.Close()
	if st.Size() > l.Memory {
		return nil, &archive.LimitError{Limit: archive.LimitMemory, Max: l.Memory}
	}
	return ReadRegular(name, l.Memory)
}

// limits returns the limits for Append and for an existing image.
func (c Config) limits() archive.Limits { return cmp.Or(c.Limits, archive.DefaultLimits) }
