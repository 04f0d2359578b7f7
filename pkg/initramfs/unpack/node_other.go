//go:build !linux

package unpack

import (
	"errors"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// mknod is not called on this system: see unpacker.noNode.
func (u *unpacker) mknod(*archive.Node) error { return errors.ErrUnsupported }

// linkTime leaves a symbolic link the time at which it was made.
func (u *unpacker) linkTime(*archive.Node) error { return nil }
