package status

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// Each unit of a session is shown, with its disk or why it has none.
func TestDisksOf(t *testing.T) {
	const target = "sys/class/iscsi_session/session3/device/target2:0:0/2:0:0:"
	s := system(t, map[string]string{
		target + "0/type":           "12\n",
		target + "1/type":           "0\n",
		target + "1/block/sdb/x":    "",
		"sys/class/block/sdb/size":  "40960\n",
		target + "2/type":           "0\n",
		target + "3/type":           "0\n",
		target + "3/inquiry":        "\x20\x00",
		target + "10/type":          "0\n",
		target + "10/block/gone/x":  "",
		"sys/class/block/sda/size":  "2048\n",
		"sys/class/block/sdb/start": "",
		// A volume on the disk, of which another part is below a second volume.
		"sys/class/block/sdb/holders/dm-0/x": "", "sys/class/block/sdb/holders/dm-1/x": "", "sys/class/block/dm-0/dm/name": "vg-root\n",
		"sys/class/block/dm-1/dm/name": "vg-r1_rimage_0\n", "sys/class/block/dm-1/holders/dm-2/x": "", "sys/class/block/dm-2/dm/name": "vg-r1\n",
	})
	const want = "lun 0 is not a disk (SCSI type 12, array controller), lun 1 is sdb (20 MiB, vg-root, vg-r1), lun 2 has no block device yet, " +
		"lun 3 has no device at the target, lun 10 is gone"
	if got := disksOf(s.Sys, 3); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := disksOf(s.Sys, 4); got != "none" {
		t.Errorf("of another session: %q", got)
	}
}

// refusing is a writer that is full.
type refusing struct{}

func (refusing) Write([]byte) (int, error) { return 0, unix.ENOSPC }

// Print shows this machine, and its error names what is wrong with it.
func TestPrint(t *testing.T) {
	nstest.Run(t, syscall.CLONE_NEWNS, func() {
		for _, dir := range []string{"/sys", "/run"} {
			if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
				t.Fatal(err)
			}
		}
		show := func(state string) (string, error) {
			dir := "/sys/class/iscsi_session/session1"
			for name, text := range map[string]string{"state": state, "targetname": "iqn.a:t"} {
				if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			err := Print(&out)
			return out.String(), err
		}
		text, err := show("FAILED")
		if !strings.Contains(text, "iqn.a:t") || err == nil || !strings.Contains(err.Error(), "session 1") {
			t.Errorf("a session that is down: %q, error %v", text, err)
		}
		if err := Print(refusing{}); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("nowhere to write to: error %v", err)
		}
	})
}
