package blockdev

import "testing"

// A status of a command has its name beside the number.
func TestStatusText(t *testing.T) {
	for _, c := range []struct {
		device uint8
		host   uint16
		want   string
	}{
		{2, 0, "SCSI status 0x02 (CHECK CONDITION)"},
		{0, 15, "host status 0x0f (transport failed)"},
		{0x18, 3, "SCSI status 0x18 (RESERVATION CONFLICT), host status 0x03 (timed out)"},
		{0x77, 0, "SCSI status 0x77"},
	} {
		if got := statusText(c.device, c.host); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
