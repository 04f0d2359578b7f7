//go:build soak

package integration

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// Ours takes over behind what Debian's own makers of an initramfs have made: its own modules stay in use.
func TestSoakBehindDebian(t *testing.T) {
	for _, maker := range []string{"initramfs-tools", "dracut"} {
		t.Run(maker, func(t *testing.T) {
			system := debianInitrds(t)
			k, err := lab.FindKernel("amd64")
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
			r.makeDisk(lab.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
			r.gotgt()
			img, sum := r.buildImage(func(c *initramfs.Config) { c.Append = other })
			if sum.Appended == 0 {
				t.Errorf("none of its modules is in use: %+v", sum)
			}
			m := r.boot(img, "", "console=ttyS0 "+seedLine)
			r.expect(m, "guest: mount: /dev/sda2 / ext4 ro,")
			r.off(m)
		})
	}
}

// debianInitrds is the system in which the makers run.
func debianInitrds(t *testing.T) string {
	t.Helper()
	root, err := lab.DebianRoot("initrds")
	if err != nil {
		t.Fatalf("%v; run scripts/deps.sh bench-full", err)
	}
	return root
}
