//go:build !linux

package initramfs

import (
	"errors"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// mknod is not called on this system: see unpacker.nodes.
func (u *unpacker) mknod(*archive.Node) error { return errors.ErrUnsupported }
