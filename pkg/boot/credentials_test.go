package boot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

func TestReadCredentials(t *testing.T) {
	dir, me := t.TempDir(), uint32(os.Getuid())
	path := filepath.Join(dir, "credentials")
	if got, err := readCredentials(path, me); got != nil || err != nil {
		t.Errorf("without a file: %v, %v", got, err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("iqn.2007-01.com.example:a user correct-horse-battery\n")
	got, err := readCredentials(path, me)
	if err != nil || len(got) != 1 || string(got[0].Secret.Bytes()) != "correct-horse-battery" {
		t.Errorf("got %v, %v", got, err)
	}
	write("nonsense\n")
	var bad *bootspec.CredentialsError
	if _, err := readCredentials(path, me); !errors.As(err, &bad) {
		t.Errorf("got %v", err)
	}
	write(strings.Repeat("#", bootspec.MaxCredentials+1))
	if _, err := readCredentials(path, me); !errors.As(err, &bad) {
		t.Errorf("got %v", err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := readCredentials(link, me); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link: %v", err)
	}
	if _, err := readCredentials(dir, me); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
}

// A file that other users can read is refused.
func TestPrivate(t *testing.T) {
	for _, tt := range []struct {
		mode, uid uint32
		want      string
	}{
		{unix.S_IFREG | 0o600, 0, ""},
		{unix.S_IFREG | 0o400, 0, ""},
		{unix.S_IFREG | 0o640, 0, "has mode 0640: in the image it must belong to root and have mode 0600"},
		{unix.S_IFREG | 0o604, 0, "has mode 0604"},
		{unix.S_IFREG | 0o600, 1000, "belongs to user 1000"},
		{unix.S_IFIFO | 0o600, 0, "not a regular file"},
	} {
		err := private(&unix.Stat_t{Mode: tt.mode, Uid: tt.uid}, 0)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("mode %o of user %d: %v", tt.mode, tt.uid, err)
		}
	}
}
