package recovery

import (
	"fmt"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

func TestNeedsPerson(t *testing.T) {
	for code, want := range map[uint16]bool{0x0201: true, 0x0202: true, 0x0203: false, 0x0301: false, 0x0206: false} {
		err := fmt.Errorf("login: %w", &iscsi.StatusError{Class: uint8(code >> 8), Detail: uint8(code)})
		if got := NeedsPerson(err); got != want {
			t.Errorf("%04x: %v", code, got)
		}
	}
	if !NeedsPerson(fmt.Errorf("login: %w", &iscsi.AuthError{})) {
		t.Error("a target that failed to prove itself heals by itself")
	}
}
