//go:build soak

package integration

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// The command lines documented by dracut.cmdline(7) and by the README.Debian of open-iscsi.
const (
	dracutLine = "rw root=LABEL=diskless netroot=iscsi:@10.77.0.1::3260:0:" + targetName + " rd.iscsi.initiator=" + initiator +
		" ip=10.77.0.2::10.77.0.1:255.255.255.0:remote1:ens2:none rd.neednet=1"
	initramfsToolsLine = "rw root=LABEL=diskless ip=10.77.0.2::10.77.0.1:255.255.255.0:remote1:ens2:off iscsi_initiator=" + initiator +
		" iscsi_target_name=" + targetName + " iscsi_target_ip=10.77.0.1 iscsi_target_port=3260 iscsi_target_group=1"
)

// iscsiroot's image is appended to an initramfs made by Debian's own generators: it uses that
// initramfs's modules and accepts the command line of that initramfs's program.
func TestSoakAppendToDebianInitrds(t *testing.T) {
	for maker, line := range map[string]string{"initramfs-tools": initramfsToolsLine, "dracut": dracutLine} {
		t.Run(maker, func(t *testing.T) {
			system := debianInitrds(t)
			k, err := deps.FindKernel("amd64")
			if err != nil {
				t.Fatal(err)
			}
			other := filepath.Join(t.TempDir(), "other.img")
			cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--pid", "--fork", "--kill-child",
				"sh", "../scripts/bench/guest/initrds.sh", maker, system, k.Release, "virtio_net", other)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", maker, err, out)
			}
			r := newRig(t)
			r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Label: "diskless", Tree: root("net")})
			r.gotgt()
			img, sum := r.buildImage(func(c *initramfs.Config) { c.Append = other })
			if sum.Appended == 0 {
				t.Errorf("none of its modules is in use: %+v", sum)
			}
			m := r.boot(img, "", "console=ttyS0 "+line)
			r.expect(m, "iscsiroot: network: ens2 is up with 10.77.0.2/24", "guest: mount: /dev/sda2 / ext4 rw,")
			r.waitOff(m)
		})
	}
}

// debianInitrds is the root directory of a system that has both generators.
func debianInitrds(t *testing.T) string {
	t.Helper()
	root, err := images.DebianRoot("initrds")
	if err != nil {
		t.Fatalf("%v; run scripts/deps.sh bench-full", err)
	}
	return root
}
