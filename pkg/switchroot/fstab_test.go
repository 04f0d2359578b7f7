package switchroot

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Lines of the Debian installer, and others that are common.
const fstab = `# /etc/fstab: static file system information.
#
# <file system> <mount point>   <type>  <options>       <dump>  <pass>
UUID=3310fa39-f939-4bb6-8fc3-e89a16d966ff /               ext4    errors=remount-ro 0       1
LABEL=my\040usr	/usr/	xfs	rw,noatime,x-systemd.automount,nofail,_netdev,comment=x	0 2
/dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0
tmpfs /tmp\134x
   # a comment behind blanks
one
proc none proc defaults`

func TestParseFstab(t *testing.T) {
	want := []Entry{
		{"UUID=3310fa39-f939-4bb6-8fc3-e89a16d966ff", "/", "ext4", "errors=remount-ro"},
		{"LABEL=my usr", "/usr", "xfs", "rw,noatime,x-systemd.automount,nofail,_netdev,comment=x"},
		{"/dev/sr0", "/media/cdrom0", "udf,iso9660", "user,noauto"},
		{"tmpfs", `/tmp\x`, "auto", "defaults"},
		{"proc", "none", "proc", "defaults"},
	}
	got := ParseFstab([]byte(fstab))
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	if o := got[1].MountOptions(); o != "noatime" {
		t.Errorf("options for mount are %q", o)
	}
	if o := got[2].MountOptions(); o != "" {
		t.Errorf("options for mount are %q", o)
	}
	if !got[1].Has("nofail") || got[1].Has("no") || got[0].Has("nofail") {
		t.Error("options are not told apart")
	}
	if n := len(ParseFstab([]byte(strings.Repeat("a b\n", maxEntries+5)))); n != maxEntries {
		t.Errorf("%d entries", n)
	}
}

// The file is looked for inside the root, wherever its links lead.
func TestReadFstab(t *testing.T) {
	dir := t.TempDir()
	if got, err := ReadFstab(dir); got != nil || err != nil {
		t.Errorf("without fstab: %+v, %v", got, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "real"), []byte(fstab), 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "etc/fstab")
	if err := os.Symlink("/real", link); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadFstab(dir); len(got) != 5 || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(link, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFstab(dir); err == nil {
		t.Error("a directory is read")
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("fstab", link); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFstab(dir); err == nil {
		t.Error("a link to itself is read")
	}
	if _, err := ReadFstab(filepath.Join(dir, "none")); err == nil {
		t.Error("a root that is not there is read")
	}
}

func FuzzParseFstab(f *testing.F) {
	f.Add([]byte(fstab))
	f.Add([]byte("a\\0 \\777 x\\ \n#\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range ParseFstab(b) {
			if e.Spec == "" || e.Dir == "" || e.FSType == "" || e.Options == "" {
				t.Errorf("got %+v", e)
			}
			for _, o := range strings.Split(e.MountOptions(), ",") {
				if o == "rw" || o == "noauto" || strings.HasPrefix(o, "x-") {
					t.Errorf("options for mount are %q", e.MountOptions())
				}
			}
		}
	})
}
