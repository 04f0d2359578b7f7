package session

import (
	"os"
	"path/filepath"
	"testing"
)

func TestProgress(t *testing.T) {
	sys := t.TempDir()
	for name, text := range map[string]string{
		"class/iscsi_session/session7/device/target2:0:0/2:0:0:1/type":        "0\n",
		"class/iscsi_session/session7/device/target2:0:0/2:0:0:1/block/sdb/x": "",
		"class/iscsi_session/session7/device/target2:0:0/2:0:0:0/type":        "12\n",
		"class/block/sdb/inflight":                                            "       1        2\n",
		"class/block/sdb/stat":                                                "     100        0     6128       67       20        0      160        8        0      156       75        0\n",
	} {
		path := filepath.Join(sys, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if waiting, done, err := progress(sys, 7); waiting != 3 || done != 120 || err != nil {
		t.Errorf("%d commands wait, %d are done, %v", waiting, done, err)
	}
	if _, _, err := progress(sys, 8); err == nil {
		t.Error("no error without such a session")
	}
	if err := os.WriteFile(filepath.Join(sys, "class/block/sdb/stat"), []byte("100"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := progress(sys, 7); err == nil {
		t.Error("no error after half a line")
	}
}
