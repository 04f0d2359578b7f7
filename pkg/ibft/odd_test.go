package ibft_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
)

// What is odd in a table is named, and the rest is used: each row changes rich's bytes, and has the
// parts that are left out of the table.
func TestOddities(t *testing.T) {
	good := encode(t, rich())
	noInitiator := func(t *ibft.Table) { t.Initiator = ibft.Initiator{} }
	noTarget := func(t *ibft.Table) { t.Targets = t.Targets[1:] }
	for _, tt := range []struct {
		name string
		b    []byte
		want func(*ibft.Table)
		odd  string // nothing is
	}{
		{"not valid", put(good, initiatorAt+5, 0), noInitiator, ""},
		{"empty", put(good, initiatorAt, make([]byte, 74)...), noInitiator, ""},
		{"valid and empty", put(good, initiatorAt+6, make([]byte, 68)...), noInitiator, "initiator at byte 144: no initiator name"},
		{"truncated", put(good, initiatorAt+2, 10), noInitiator, "length 10, want 74"},
		{"length of zero", put(good, initiatorAt+2, 0), noInitiator, "length 0, want 74"},
		{"length beyond the end", put(good, initiatorAt+2, 0xff, 0xff), func(*ibft.Table) {}, "length 65535 goes beyond the table's end"},
		{"offset outside", put(good, 56, 0xff, 0xff), noInitiator, "outside of the table"},
		{"unknown type", put(good, initiatorAt, 9), noInitiator, ""},
		{"short control", put(good, 50, 8), func(*ibft.Table) {}, "control at byte 50: length 8, want 18"},
		{"long control", put(good, 50, 0xff, 0xff), func(*ibft.Table) {}, "control at byte 50: length 65535"},
		{"name that cannot be printed", put(good, initiatorAt+70, 9, 0, 48, 0), noInitiator, "cannot be printed"},
		{"NIC's prefix", put(good, nic0At+22, 33), func(t *ibft.Table) { t.NICs[0].PrefixLen = 0 }, "prefix length 33"},
		{"NIC's host name", put(good, nic0At+100, 0xf0, 0xff), func(t *ibft.Table) { t.NICs[0].HostName = "" }, "outside of the table"},
		{"NIC's VLAN", put(good, nic0At+88, 0xff, 0x0f), func(t *ibft.Table) { t.NICs = t.NICs[1:] }, "VLAN 4095"},
		{"target's port", put(good, target0At+22, 0, 0), func(*ibft.Table) {}, "port 0 of target iqn.2007-01.com.example:storage.disk1: 3260 is used"},
		{"target's CHAP type", put(good, target0At+32, 7), func(*ibft.Table) {}, "CHAP type 7, want 0 to 2: the secrets are used"},
		{"target without a name", put(good, target0At+34, 0, 0), noTarget, "no target name"},
		{"target that is not asked to prove itself", put(good, target0At+50, 0, 0), noTarget, "mutual CHAP without the target's secret"},
		{"secret that is not there", put(good, target1At+42, 0, 0), func(t *ibft.Table) {
			t.Targets[1].CHAP, t.Targets[1].User, t.Targets[1].Secret = ibft.NoCHAP, "", secret("")
		}, "the login is without CHAP"},
	} {
		want := rich()
		tt.want(&want)
		got, err := ibft.Parse(tt.b)
		if diff := cmp.Diff(want, got, equal()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
		checkOdd(t, tt.name, err, tt.odd)
	}
}

// checkOdd checks that one thing is odd, and is named.
func checkOdd(t *testing.T, name string, err error, want string) {
	t.Helper()
	var odd ibft.Oddities
	switch {
	case want == "" && err == nil:
	case want == "" || !errors.As(err, &odd) || len(odd) != 1 || !strings.Contains(err.Error(), want):
		t.Errorf("%s: odd is %v, want %q", name, err, want)
	}
}

// A table that is damaged as a whole is an error, and not odd.
func TestNoTable(t *testing.T) {
	good := encode(t, rich())
	good[20] ^= 1
	table, err := ibft.Parse(good)
	var odd ibft.Oddities
	if err == nil || errors.As(err, &odd) || len(table.Targets) > 0 {
		t.Errorf("a wrong checksum: %v, %v", table, err)
	}
}

// The same for what the kernel shows of a table.
func TestOddSysfs(t *testing.T) {
	good, err := ibft.FromSysfs(tree(read(t, "ipxe-chap.sysfs")))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file, content string
		want          func(*ibft.Table)
		odd           string
	}{
		{"initiator/initiator-name", "", func(t *ibft.Table) { t.Initiator = ibft.Initiator{} }, "initiator/initiator-name: no initiator name"},
		{"initiator/isns-server", "x", func(*ibft.Table) {}, "isns-server"},
		{"initiator/flags", "0", func(t *ibft.Table) { t.Initiator = ibft.Initiator{} }, ""},
		{"ethernet0/prefix-len", "33", func(t *ibft.Table) { t.NICs[0].PrefixLen = 0 }, "prefix-len"},
		{"ethernet0/hostname", "a\x01", func(t *ibft.Table) { t.NICs[0].HostName = "" }, "hostname"},
		{"ethernet0/mac", "x", func(t *ibft.Table) { t.NICs = nil }, "is not a MAC"},
		{"target0/lun", "00000001", func(t *ibft.Table) { t.Targets = nil }, "is not a LUN of one level"},
		{"target0/port", "0", func(*ibft.Table) {}, "port 0"},
	} {
		dir := tree(read(t, "ipxe-chap.sysfs"))
		dir[tt.file] = &fstest.MapFile{Data: []byte(tt.content)}
		want := good
		want.NICs = append([]ibft.NIC(nil), good.NICs...)
		tt.want(&want)
		got, err := ibft.FromSysfs(dir)
		if diff := cmp.Diff(want, got, equal()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.file, diff)
		}
		checkOdd(t, tt.file, err, tt.odd)
	}
}
