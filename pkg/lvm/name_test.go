package lvm_test

import (
	"slices"
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
		if name := lvm.DMName(c[0], c[1], ""); name != c[2] {
			t.Errorf("%v: %s", c, name)
		}
		if vg, lv, ok := lvm.SplitDMName(c[2]); !ok || vg != c[0] || lv != c[1] {
			t.Errorf("%s: %s, %s, %v", c[2], vg, lv, ok)
		}
	}
	long := strings.Repeat("a", 63)
	if _, _, ok := lvm.SplitDMName(long + "-" + long); !ok {
		t.Error("127 bytes are too long")
	}
	for _, name := range []string{"", "vg", "vg-", "-lv", "vg-lv-tpool", "v!g-lv", "vg-..", long + "a-" + long} {
		if vg, lv, ok := lvm.SplitDMName(name); ok {
			t.Errorf("%q is %s, %s", name, vg, lv)
		}
	}
	if got := lvm.DMName("v-g", "p", "tpool"); got != "v--g-p-tpool" {
		t.Error(got)
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

// A pool whose last change was not finished says so.
func TestPendingPool(t *testing.T) {
	for _, pending := range []bool{false, true} {
		g := group(t, "thin")
		pool, ok := g.VG.LV("pool")
		if !ok {
			t.Fatal("no pool")
		}
		pool.Segments[0].Type.(*lvm.ThinPool).Pending = pending
		plan, err := g.Plan("root", lvm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(plan, func(v lvm.Volume) bool { return v.Pool != nil }); i < 0 || plan[i].Pool.Pending != pending {
			t.Errorf("%v: %+v", pending, plan)
		}
	}
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
		if want == "transaction 4, lvm has 5" {
			pending := &lvm.Pool{Name: "vg/pool", TransactionID: 5, Pending: true}
			if err := pending.Check(status); err != nil {
				t.Error(err)
			}
			pending.TransactionID = 6
			if err := pending.Check(status); err == nil {
				t.Error("two transactions are missing")
			}
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", status, err, want)
		}
	}
}
