package initramfs_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/network/linkfile"
)

// The files by which the administrator names NICs are added, those that mask others too; the user's
// file in place of one takes precedence, and an image of another builder is not changed.
func TestLinks(t *testing.T) {
	cfg := config(t)
	dir := filepath.Join(cfg.Root, "etc/systemd/network")
	for name, text := range map[string]string{
		"10-lan.link": "lan", "20-other.link": "root's", "99-default.link.d/mac.conf": "drop-in", "30-x.network": "no", "../../opt/50-far.link": "far",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name), []byte(text))
	}
	for name, target := range map[string]string{"73-usb-net-by-mac.link": "/dev/null", "40-gone.link": "nothing", "50-far.link": "/etc/opt/50-far.link"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Files = []initramfs.File{{Path: "/etc/systemd/network/20-other.link", Data: []byte("user's"), Mode: 0o644}}
	records, names := write(t, cfg)
	var got []string
	for _, name := range names {
		if file, ok := strings.CutPrefix(name, "etc/systemd/network/"); ok && records[name].Mode&0o170000 == 0o100000 {
			text, err := io.ReadAll(io.NewSectionReader(records[name], 0, int64(records[name].FileSize)))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, file+"="+string(text))
		}
	}
	want := "10-lan.link=lan 20-other.link=user's 50-far.link=far 73-usb-net-by-mac.link= 99-default.link.d/mac.conf=drop-in"
	if strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
	sum, err := initramfs.Write(t.Context(), io.Discard, cfg)
	if err != nil || sum.Links != 4 {
		t.Errorf("%d, %v", sum.Links, err)
	}

	var first bytes.Buffer
	other := config(t)
	if _, err := initramfs.Write(t.Context(), &first, other); err != nil {
		t.Fatal(err)
	}
	cfg.Append = filepath.Join(t.TempDir(), "first")
	writeFile(t, cfg.Append, first.Bytes())
	if sum, err := initramfs.Write(t.Context(), io.Discard, cfg); err != nil || sum.Links != 0 {
		t.Errorf("behind another image: %d, %v", sum.Links, err)
	}

	cfg.Append = ""
	writeFile(t, filepath.Join(dir, "60-large.link"), make([]byte, linkfile.MaxFile+1))
	refused(t, cfg, "add "+filepath.Join(dir, "60-large.link")+": larger than 65536 bytes")
}
