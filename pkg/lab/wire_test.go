package lab

import (
	"bytes"
	"testing"
)

// A frame is the same except for its tag in both directions, and only those of the VLAN are
// forwarded.
func TestTag(t *testing.T) {
	frame := append([]byte("\x52\x54\x00\x77\x00\x01\x52\x54\x00\x77\x00\x02\x08\x00"), "payload"...)
	tagged := tag(frame, 5)
	if want := append([]byte("\x52\x54\x00\x77\x00\x01\x52\x54\x00\x77\x00\x02\x81\x00\x00\x05\x08\x00"), "payload"...); !bytes.Equal(tagged, want) {
		t.Errorf("tagged % x", tagged)
	}
	if got, ok := untag(tagged, 5); !ok || !bytes.Equal(got, frame) {
		t.Errorf("untagged % x, %v", got, ok)
	}
	if got, ok := untag(frame, 0); !ok || !bytes.Equal(got, frame) || !bytes.Equal(tag(frame, 0), frame) {
		t.Errorf("without a VLAN % x, %v", got, ok)
	}
	for _, c := range []struct {
		frame []byte
		vlan  uint16
	}{{frame, 5}, {tagged, 6}, {tagged, 0}, {frame[:10], 5}} {
		if _, ok := untag(c.frame, c.vlan); ok {
			t.Errorf("% x goes through to VLAN %d", c.frame, c.vlan)
		}
	}
}
