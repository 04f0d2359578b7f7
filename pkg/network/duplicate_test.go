package network

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// Another machine answers for this one's IPv4 address. The boot does not wait for that, and
// continues.
func TestDuplicateIPv4(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		wire(t, sys, "a0", "10.8.0.1/24", "10.8.0.2/24")
		for addr, want := range map[string]string{
			"10.8.0.2": "another machine on a0 has the address 10.8.0.2, MAC ", "10.8.0.3": "",
		} {
			warned := make(chan string, 16)
			n, err := Start(Config{Net: lines(t, addr+":::24:::none"), SysClassNet: sys, Warn: func(text string) { warned <- text }})
			if err != nil {
				t.Fatal(err)
			}
			if leases, err := n.Wait(t.Context()); err != nil || len(leases) != 1 {
				t.Fatalf("%v %v", leases, err)
			}
			select {
			case text := <-warned:
				if want == "" || !strings.HasPrefix(text, want) || !strings.HasSuffix(text, ": give each machine its own address") {
					t.Errorf("%s: warned: %s", addr, text)
				}
			case <-time.After(2 * duplicateLimit):
				if want != "" {
					t.Errorf("%s: no warning that another machine has it", addr)
				}
			}
			n.Undo()
		}
	})
}

// Two NICs on one wire: the kernel answers on the other one, which is not another machine.
func TestDuplicateOnSameMachine(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		if err := netlink.LinkSetUp(veth(t, sys, "a0")); err != nil {
			t.Fatal(err)
		}
		warned := make(chan string, 16)
		n, err := Start(Config{Net: lines(t, "10.8.0.3:::24::a0:none"), SysClassNet: sys, Warn: func(text string) { warned <- text }})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Undo()
		if _, err := n.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case text := <-warned:
			t.Errorf("warned: %s", text)
		case <-time.After(duplicateLimit):
		}
	})
}

// answer is a reply of 10.0.2.2, with what Ethernet pads a short frame with.
const answer = "0001080006040002" + "525500000202" + "0a000202" + "525400123456" + "0a00020f" + "000000000000"

func TestARPOwner(t *testing.T) {
	reply, err := hex.DecodeString(answer)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr("10.0.2.2")
	if mac, ok := arpOwner(reply, addr); !ok || mac.String() != "52:55:00:00:02:02" {
		t.Errorf("%s %t", mac, ok)
	}
	probe := arpProbe(net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}, addr)
	if want := "0001080006040001" + "525400123456" + "00000000" + "000000000000" + "0a000202"; hex.EncodeToString(probe) != want {
		t.Errorf("probe %x, want %s", probe, want)
	}
	for name, b := range map[string][]byte{"a probe": probe, "a piece": reply[:arpLen-1], "nothing": nil, "another network": append([]byte{0, 6}, reply[2:]...)} {
		if mac, ok := arpOwner(b, addr); ok {
			t.Errorf("%s: %s has it", name, mac)
		}
	}
}

func FuzzARPOwner(f *testing.F) {
	reply, err := hex.DecodeString(answer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reply)
	f.Add(reply[:20])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if mac, ok := arpOwner(b, netip.MustParseAddr("10.0.2.2")); ok && len(mac) != 6 {
			t.Errorf("%x", mac)
		}
	})
}
