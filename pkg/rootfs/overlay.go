package rootfs

import (
	"fmt"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/fstypes"
)

// checkOverlay returns an error if the command line requests a writable layer over root, which is
// not supported, and root itself can be written to. Such an image is made for many machines: its
// fstab makes root writable, and two machines that write to one file system destroy it.
func (st *Storage) checkOverlay(sys string, root Volume) error {
	own := slices.ContainsFunc(st.allDisks(), func(d *blockdev.Device) bool { return root.On(d.Name) })
	if st.Plan.Overlay == "" || !own || fstypes.Of(root.FSType).ReadOnly || readOnly(sys, root.Name) {
		return nil
	}
	return sequence.WithHint(fmt.Errorf("mount %s: %s asks for a writable layer over root, which is not supported, and its LUN can be written to", root.Path(), st.Plan.Overlay),
		"write-protect the LUN at the target, remove the parameter, or add rd.iscsiroot.ignore=overlay if no other machine has this LUN")
}
