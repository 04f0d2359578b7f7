package network

import (
	"os"
	"testing"
)

// What is missing is described from what is nearest to an address to what is farthest; waiting
// helps only for what may come by itself.
func TestStateInWords(t *testing.T) {
	dark, lit := Link{Name: "eth0"}, Link{Name: "eth1", Carrier: true}
	for _, tt := range []struct {
		state     State
		want      string
		retryable bool
	}{
		{State{Links: []Link{dark}}, "no link on eth0: check cable and switch port", true},
		{State{Links: []Link{dark, lit}}, "no link on eth0: check cable and switch port", true},
		{State{Links: []Link{dark, {Name: "eth2"}}}, "no link on eth0, eth2: check cable and switch port", true},
		{State{Links: []Link{lit}}, "eth1: waiting for its address", true},
		{State{Links: []Link{lit}, Permanent: true}, "eth1: waiting for its address", false},
		{State{Links: []Link{dark}, Waiting: "the server refuses"}, "the server refuses", true},
		{State{Busy: []string{"eth0"}}, "no network interface yet: the driver of eth0 is not ready", true},
		{State{Other: []string{"eth0"}}, "no network interface: add the driver of this machine's NIC to the image (iscsiroot build --nic DRIVER)", false},
		{State{MAC: "52:54:00:aa:bb:02"}, "no network interface, and so none with MAC 52:54:00:aa:bb:02: add the driver of this machine's NIC to the image (iscsiroot build --nic DRIVER)", false},
		{State{MAC: "52:54:00:aa:bb:02", Other: []string{"eth0", "eth1"}}, "no interface with MAC 52:54:00:aa:bb:02, there is eth0, eth1: correct BOOTIF= or ip=, or add its driver to the image", false},
	} {
		err := &WaitError{State: tt.state, Err: os.ErrDeadlineExceeded}
		if err.Error() != "network: "+tt.want || err.Retryable() != tt.retryable {
			t.Errorf("%+v: %v, retryable %v", tt.state, err, err.Retryable())
		}
	}
}

// The parts of a PCI address have the sizes that the kernel gives them: 32, 8, 5 and 3 bits, the
// domain in at least four digits.
func TestPCIAddresses(t *testing.T) {
	for name, want := range map[string]bool{
		"0000:00:00.0": true, "0000:ff:1f.7": true, "10000:e1:00.0": true, "ffffffff:00:00.0": true,
		"0000:00:00.8": false, "0000:00:20.0": false, "0000:100:00.0": false, "100000000:00:00.0": false,
		"000:00:00.0": false, "0000:00:00": false, "0000.00.00.0": false, "0000:00:00.0.0": false, "0000:00:0g.0": false, "usb1": false, "": false,
	} {
		if isPCIDevice(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
