package repo_test

import (
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

// maxImage is what the image for a virtual machine may have, in bytes, by compression: 3.95 MiB
// with the best compression, and 4.45 MiB without another program.
var maxImage = map[initramfs.Compression]int64{initramfs.Zstd19: 395 << 20 / 100, initramfs.Zstd: 445 << 20 / 100}

func TestImageSize(t *testing.T) {
	goFiles(t)
	kernel, err := deps.FindKernel("amd64")
	if err != nil {
		t.Fatal(err) // it names the command to run
	}
	dir := t.TempDir()
	init := filepath.Join(dir, "init")
	goBuild(t.Context(), t, init, "./cmd/init")
	for how, limit := range maxImage {
		sum, err := initramfs.Build(t.Context(), initramfs.Config{
			Root:          kernel.ModulesRoot,
			KernelVersion: kernel.Release,
			InitPath:      init,
			NICs:          []string{"virtio_net"},
			FileSystems:   []string{"ext4"},
			Compression:   how,
		}, filepath.Join(dir, "initrd.img"))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("image for kernel %s with virtio_net and ext4, by %s: %d bytes, %d modules", sum.Kernel, how, sum.Bytes, sum.Modules)
		if sum.Bytes > limit {
			t.Errorf("image for virtio_net and ext4 by %s has %d bytes, more than %d: see what init links, or which modules came in: iscsiroot build, then list it", how, sum.Bytes, limit)
		}
	}
}
