package lvm_test

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

func TestNames(t *testing.T) {
	for _, c := range [][3]string{
		{"vg", "root", "vg-root"},
		{"vg-a", "r-o--t", "vg--a-r--o----t"},
		{"vg-", "root", "vg---root"},
	} {
		name := lvm.DMName(c[0], c[1], "")
		vg, lv, ok := lvm.SplitName(name)
		if name != c[2] || vg != c[0] || lv != c[1] || !ok {
			t.Errorf("%v: %s, back %s %s %v", c, name, vg, lv, ok)
		}
	}
	if got := lvm.DMName("v-g", "p", "tpool"); got != "v--g-p-tpool" {
		t.Error(got)
	}
	for _, name := range []string{"", "control", "mpatha", "vg-pool-tpool", "-root", "vg-", "vg--root", "a-b-c"} {
		if vg, lv, ok := lvm.SplitName(name); ok {
			t.Errorf("%q: %s %s", name, vg, lv)
		}
	}
}

func TestSplitPath(t *testing.T) {
	for path, want := range map[string]string{
		"/dev/vg-a/ro-ot":          "vg-a ro-ot true",
		"vg/root":                  "vg root true",
		"/dev/mapper/vg--a-ro--ot": "vg-a ro-ot true",
		"/dev/sda":                 "sda  false",
		"/dev/disk/by-id/x":        "disk by-id/x false",
		"/dev/mapper/control":      "control  false",
		"vg":                       "vg  false",
		"vg/":                      "vg  false",
	} {
		vg, lv, ok := lvm.SplitPath(path)
		if got := strings.Join([]string{vg, lv, map[bool]string{true: "true", false: "false"}[ok]}, " "); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestID(t *testing.T) {
	const text = "90onOs-RMd2-es7P-vXc9-AQbS-S0r1-E9cUIis"
	if id, err := lvm.ParseID(text[:38]); err != nil || id.String() != text[:38] || strings.Contains(string(id), "-") {
		t.Error(id, err)
	}
	for _, bad := range []string{"", "root", text, strings.Replace(text, "9", "?", 1)[:38], strings.Repeat("é", 16)} {
		if id, err := lvm.ParseID(bad); err == nil {
			t.Error(id)
		}
	}
}

func FuzzSplitName(f *testing.F) {
	f.Add("vg--a-root")
	f.Add("vg---r--o")
	f.Fuzz(func(t *testing.T, name string) {
		vg, lv, ok := lvm.SplitName(name)
		if ok && !strings.HasPrefix(lv, "-") && lvm.DMName(vg, lv, "") != name {
			t.Errorf("%q is %q and %q, which is %q", name, vg, lv, lvm.DMName(vg, lv, ""))
		}
	})
}

// The lines are those of the kernel (drivers/md/dm-thin.c: pool_status).
func TestPoolCheck(t *testing.T) {
	p := &lvm.Pool{Name: "vg/pool", TransactionID: 5}
	for status, want := range map[string]string{
		"5 12/512 1/256 - rw discard_passdown queue_if_no_space - 1024 ":           "",
		"5 12/512 256/256 3 out_of_data_space no_discard_passdown error_if_no - 1": "",
		"4 12/512 1/256 - rw discard_passdown queue_if_no_space - 1024":            "transaction 4, lvm has 5",
		"5 12/512 1/256 - ro discard_passdown queue_if_no_space needs_check 1024":  "lvconvert --repair vg/pool",
		"Fail":                "lvconvert --repair vg/pool",
		"Error":               "lvconvert --repair vg/pool",
		"":                    "lvconvert --repair vg/pool",
		"x 12/512 1/256 - rw": "is not understood",
		"5 12/512":            "is not understood",
	} {
		err := p.Check(status)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", status, err, want)
		}
	}
}
