package integration

import (
	"regexp"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// Debian's variables name the target. A parameter for an overlay is reported as not supported, a
// break before the step works, root on a writable LUN is not mounted without the overlay, and a
// parameter at the shell allows it. The real init gets none of these parameters.
func TestUnsupportedParameters(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 16, Tree: root("")})
	r.gotgt()
	line := strings.NewReplacer("iscsi_i=", "ISCSI_INITIATOR=", "iscsi_t=", "ISCSI_TARGET_NAME=", "iscsi_a=", "ISCSI_TARGET_IP=").Replace(seedLine)
	m := r.boot(virtio, "", console+"rd.break=mount rd.shell overlayroot=tmpfs dodmraid isci_w=sesame-open-12 "+line)
	const asks = "overlayroot= asks for a writable layer over root, which is not supported"
	r.expect(m, "iscsiroot: parameter isci_w is not understood and is ignored: did you mean iscsi_w", "iscsiroot: "+asks+": root is mounted as it is",
		"iscsiroot: dodmraid asks for a RAID of the firmware, which is not supported", "break before step mount", prompt)
	r.runLines(m, shellLine{"explain", []string{targetName + " (ISCSI_TARGET_NAME=)", "warning: " + asks}})
	r.send(m, "exit\n", "continuing with step mount", "step mount failed after", asks+", and its LUN can be written to", "hint: write-protect the LUN", prompt)
	r.send(m, "retry rd.iscsiroot.ignore=overlay\n", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	if got := regexp.MustCompile(`guest: (arg|env): (overlayroot|dodmraid|ISCSI_|isci_)[^\r\n]*`).FindAllString(m.Output(), -1); len(got) > 0 {
		t.Errorf("init sees %q", got)
	}
}
