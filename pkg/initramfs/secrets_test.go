package initramfs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// secretFile is a line of credentials.
const secretFile = "iqn.2007-01.com.example:storage.remote1 user sesame-open-12\n"

// However a secret comes in, the image is its owner's alone; without one all may read it.
func TestSecretImages(t *testing.T) {
	overlay := func(name, text string, mode os.FileMode) func(*testing.T, *initramfs.Config) {
		return func(t *testing.T, cfg *initramfs.Config) {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, name), []byte(text))
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
			cfg.Overlays = append(cfg.Overlays, dir)
		}
	}
	file := func(name, text string, mode os.FileMode) func(*testing.T, *initramfs.Config) {
		return func(t *testing.T, cfg *initramfs.Config) {
			src := filepath.Join(t.TempDir(), "file")
			writeFile(t, src, []byte(text))
			if err := os.Chmod(src, mode); err != nil {
				t.Fatal(err)
			}
			cfg.Files = append(cfg.Files, initramfs.File{Path: name, Source: src})
		}
	}
	below := func(edit func(*testing.T, *initramfs.Config), mode os.FileMode) func(*testing.T, *initramfs.Config) {
		return func(t *testing.T, cfg *initramfs.Config) {
			other := config(t)
			edit(t, &other)
			cfg.Append = filepath.Join(t.TempDir(), "other.img")
			if _, err := initramfs.Build(t.Context(), other, cfg.Append); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(cfg.Append, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	nothing := func(*testing.T, *initramfs.Config) {}
	for name, tt := range map[string]struct {
		edit   func(*testing.T, *initramfs.Config)
		secret bool
	}{
		"nothing":                   {nothing, false},
		"overlay without":           {overlay("etc/motd", "hello\n", 0o644), false},
		"overlay, credentials":      {overlay("etc/iscsiroot/credentials", secretFile, 0o644), true},
		"overlay, anywhere":         {overlay("usr/share/notes", "# keys\n"+secretFile, 0o644), true},
		"overlay, for its owner":    {overlay("etc/key", "x", 0o600), true},
		"overlay, dracut's":         {overlay("etc/cmdline.d/a.conf", "netroot=iscsi:u:sesame-open-12@10.1.1.1::::iqn.x:t\n", 0o644), true},
		"overlay, dracut's without": {overlay("etc/cmdline.d/a.conf", "netroot=iscsi:10.1.1.1::::iqn.x:t\n", 0o644), false},
		"overlay, Debian's":         {overlay("etc/iscsi.initramfs", "ISCSI_USERNAME=u\nISCSI_PASSWORD=\"sesame-open-12\"\n", 0o644), true},
		"overlay, policy":           {overlay("etc/iscsiroot/policy", "ro\niscsi_w=sesame-open-12\n", 0o644), true},
		"overlay, iscsid.conf":      {overlay("etc/iscsi/iscsid.conf", "# node.session.auth.password = x\nnode.session.auth.password = sesame-open-12\n", 0o644), true},
		"overlay, no password":      {overlay("etc/iscsi/iscsid.conf", "# node.session.auth.password = x\nnode.session.auth.username = u\n", 0o644), false},
		"overlay, a script":         {overlay("bin/setup", "iscsi_password=$(getarg rd.iscsi.password=)\niscsiadm --name=node.session.auth.password --value=\"$p\"\n", 0o755), false},
		"file, credentials":         {file("/etc/iscsiroot/credentials", secretFile, 0o644), true},
		"file, for its owner":       {file("/etc/key", "x", 0o640), true},
		"file without":              {file("/etc/motd", "hello\n", 0o644), false},
		"append":                    {below(nothing, 0o644), false},
		"append of a private image": {below(nothing, 0o600), true},
		"append with a secret":      {below(overlay("etc/iscsiroot/credentials", secretFile, 0o644), 0o644), true},
		"policy, misspelled":        {func(_ *testing.T, cfg *initramfs.Config) { cfg.Policy = "ISCSI_W=sesame-open-12" }, true},
		"default, without @":        {func(_ *testing.T, cfg *initramfs.Config) { cfg.Default = "hostname=a root=LABEL=a iscsi_w:sesame" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			tt.edit(t, &cfg)
			out := filepath.Join(t.TempDir(), "initrd.img")
			sum, err := initramfs.Build(t.Context(), cfg, out)
			if err != nil {
				t.Fatal(err)
			}
			want := os.FileMode(0o644)
			if tt.secret {
				want = 0o600
			}
			if st, err := os.Stat(out); err != nil || st.Mode() != want || sum.Secret != tt.secret {
				t.Errorf("mode %v, %v, secret %v, want %v", st.Mode(), err, sum.Secret, want)
			}
		})
	}
}
