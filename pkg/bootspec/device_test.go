package bootspec_test

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// The names are the kernel's: 26 disks of one letter, then 676 of two.
func TestDevice(t *testing.T) {
	tests := []struct {
		name            string
		disk, partition int
	}{
		{"/dev/sda", 0, 0},
		{"/dev/sda1", 0, 1},
		{"/dev/sda15", 0, 15},
		{"/dev/sdb2", 1, 2},
		{"/dev/sdz", 25, 0},
		{"/dev/sdaa", 26, 0},
		{"/dev/sdaz3", 51, 3},
		{"/dev/sdba", 52, 0},
		{"/dev/sdzz", 701, 0},
		{"/dev/sdaaa", 702, 0},
		{"/dev/sdzzz255", 18277, 255},
	}
	for _, tt := range tests {
		plan, err := parse("root=" + tt.name)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		want := bootspec.Device{Disk: tt.disk, Partition: tt.partition}
		if got := plan.Root.Device.V; got != want || got.String() != tt.name {
			t.Errorf("%s is %+v, which prints as %s, want %+v", tt.name, got, got, want)
		}
	}
	for _, name := range []string{"sda", "/dev/sd", "/dev/sd1", "/dev/sda0", "/dev/sda02", "/dev/sda256", "/dev/sda1x", "/dev/sdA", "/dev/sdaaaa", "/dev/sda/1", "/dev/sda-1", "/dev/sda+1"} {
		if plan, err := parse("root=" + name); err == nil {
			t.Errorf("%s is taken for %v", name, plan.Root.Device.V)
		}
	}
}

func TestDeviceRoundTrip(t *testing.T) {
	for disk := range 18278 { // sdzzz is the last of three letters
		want := bootspec.Device{Disk: disk, Partition: disk % 256}
		plan, err := parse("root=" + want.String())
		if err != nil || plan.Root.Device.V != want {
			t.Fatalf("%s is read as %+v, error %v", want, plan.Root.Device.V, err)
		}
	}
}
