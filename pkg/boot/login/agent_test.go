package login

import (
	"errors"
	"testing"
)

// After the hand-over no other login is possible.
func TestRefuse(t *testing.T) {
	ss := &Sessions{}
	for _, handedOver := range []bool{false, true} {
		ss.handedOver = handedOver
		if err := ss.Refuse([]string{"network", "login", "disk"}); errors.Is(err, ErrHandedOver) != handedOver {
			t.Errorf("handed over %t: %v", handedOver, err)
		}
		if err := ss.Refuse([]string{"root", "mount"}); err != nil {
			t.Errorf("handed over %t: %v", handedOver, err)
		}
	}
}
