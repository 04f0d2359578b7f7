package volumes

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

func TestFilter(t *testing.T) {
	match := func(blockdev.Filesystem) bool { return true }
	only := bootspec.LVM{Names: []bootspec.Value[string]{{V: "a-b/root", From: "rd.lvm.lv="}}}
	off := bootspec.LVM{Off: bootspec.Value[bool]{V: true, From: "rd.lvm="}}
	for _, tt := range []struct {
		name         string
		f            Filter
		none, allows bool // a-b/root
	}{
		{"zero", Filter{}, true, false},
		{"members of arrays", Filter{Members: true}, false, false},
		{"members of arrays, switched off", Filter{Members: true, Allow: off}, true, false},
		{"by contents", Filter{Match: match}, false, true},
		{"by contents, limited", Filter{Match: match, Allow: only}, false, true},
		{"by contents, switched off", Filter{Match: match, Allow: off}, true, false},
		{"by name", Filter{Name: "a--b-root", Allow: off}, false, true},
		{"by another name", Filter{Name: "a-b-root"}, false, false},
	} {
		if tt.f.None() != tt.none || tt.f.allows("a-b", "root") != tt.allows {
			t.Errorf("%s: none %v, allows %v", tt.name, tt.f.None(), tt.f.allows("a-b", "root"))
		}
	}
	if f := (Filter{Name: "x"}).WithHidden(); !f.Hidden || f.Name != "x" {
		t.Errorf("%+v", f)
	}
}
