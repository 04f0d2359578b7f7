package initramfs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// A secret below 12 bytes is refused in a new image, and a warning if the existing one has it for
// the same target.
func TestShortSecrets(t *testing.T) {
	cfg := config(t)
	out := filepath.Join(t.TempDir(), "initrd.img")
	keys := filepath.Join(t.TempDir(), "credentials")
	write := func(lines string) {
		t.Helper()
		if err := os.WriteFile(keys, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Credentials = keys
	const short = "iqn.x:a user elevenbytes\n"
	write(short)
	_, err := initramfs.Build(t.Context(), cfg, out)
	if err == nil || !strings.Contains(err.Error(), "target iqn.x:a: this machine's CHAP secret in /etc/iscsiroot/credentials line 1 has 11 bytes, RFC 7143 9.2.1 demands 12: write a longer one") || strings.Contains(err.Error(), "elevenbytes") {
		t.Errorf("a new image: %v", err)
	}
	// One from before this rule: with the file beside it, which Build checks, and Write does
	// not.
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := initramfs.Write(t.Context(), f, cfg); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	sum, err := initramfs.Build(t.Context(), cfg, out)
	if err != nil || len(sum.Warnings) != 1 || !strings.HasPrefix(sum.Warnings[0], "target iqn.x:a: this machine's CHAP secret") {
		t.Errorf("the same image again: %q, %v", sum.Warnings, err)
	}
	write(short + "iqn.x:b user elevenbytes\n")
	if _, err := initramfs.Build(t.Context(), cfg, out); err == nil || strings.Contains(err.Error(), "iqn.x:a") || !strings.Contains(err.Error(), "target iqn.x:b: ") {
		t.Errorf("another target: %v", err)
	}
	cfg.Credentials, cfg.Default = "", "iscsi_t=iqn.x:c iscsi_u=u iscsi_w=elevenbytes"
	if _, err := initramfs.Build(t.Context(), cfg, out); err == nil || !strings.Contains(err.Error(), "target iqn.x:c: this machine's CHAP secret in iscsi_w= has 11 bytes") {
		t.Errorf("in a parameter: %v", err)
	}
}
