package netboot

import (
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/manual"
)

// Every field of the hosts file is in iscsiroot-netboot(7).
func TestManualHasFields(t *testing.T) {
	pages, err := manual.Pages()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(pages, func(p manual.Page) bool { return p.Name == "iscsiroot-netboot" })
	if i < 0 {
		t.Fatal("there is no iscsiroot-netboot(7)")
	}
	_, text, _ := strings.Cut(pages[i].Plain(), "\nTHE HOSTS FILE\n")
	for _, field := range slices.Concat(topFields, hostFields) {
		if !strings.Contains(text, "\n    "+field+"\n        ") {
			t.Errorf("iscsiroot-netboot(7) has no field %s", field)
		}
	}
}
