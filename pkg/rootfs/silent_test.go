package rootfs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A target that accepts the login and answers no READ holds no search beyond the end of its step.
// The disk is a pipe, whose open(2) waits for a writer.
func TestSilentDisk(t *testing.T) {
	for _, root := range []string{"root=/dev/vg/root", "root=UUID=1", "root=LABEL=x", "root=/dev/sda", ""} {
		st, k := volumeDisks(t, "linear", root)
		disk := filepath.Join(k.paths.dev, "sda")
		if err := errors.Join(os.Remove(disk), unix.Mkfifo(disk, 0o600)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			if st.Spec.Root.Device.Given() {
				_, err := st.search(ctx, k.paths, st.Spec.Root.Device.V)
				ended <- err
				return
			}
			ended <- st.lookOn(ctx, k.paths, st.disks)
		}()
		waitInOpen(ended)
		cancel()
		if err := <-ended; err != nil && !absent(err) {
			t.Errorf("%s: %v", root, err)
		}
		w, err := os.OpenFile(disk, os.O_RDWR, 0) // ends the open
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close() })
	}
}

// waitInOpen waits until a goroutine is in open(2), or the search has ended.
func waitInOpen(ended chan error) {
	b := make([]byte, 1<<20)
	for len(ended) == 0 && !strings.Contains(string(b[:runtime.Stack(b, true)]), "blockdev.openBy.func1") {
		runtime.Gosched()
	}
}
