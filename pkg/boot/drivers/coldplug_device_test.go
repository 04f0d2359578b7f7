package drivers

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// The modaliases of the two interfaces of QEMU's usb-net, and of two cards of one PCI driver with
// an alternative.
const (
	usbControl = "usb:v0525pA4A2d0000dc02dsc00dp00ic02isc06ip00in00"
	usbData    = "usb:v0525pA4A2d0000dc02dsc00dp00ic0Aisc00ip00in01"
)

// The drivers of one device are loaded one after the other, in the order of modules.alias, and
// those of another device concurrently. A driver whose load was begun for another device is waited
// for as well.
func TestColdplugOfOneDevice(t *testing.T) {
	drivers := map[string][]string{
		usbControl: {"cdc_ether", "cdc_subset"},
		usbData:    {"cdc_subset"},
		"pci:a":    {"e1000"},
		"pci:b":    {"e1000", "e1000_other"},
	}
	synctest.Test(t, func(t *testing.T) {
		tr := steptest.NewTrace()
		h := &hardware{probes: map[string]time.Duration{"cdc_ether": time.Second, "cdc_subset": time.Second, "e1000": 2 * time.Second}}
		_, c, _ := machineWith(tr, h)
		c.match = func(alias string) (out []kmod.Module) {
			for _, name := range drivers[alias] {
				out = append(out, kmod.Module{Name: name})
			}
			return out
		}
		if err := c.await(t.Context(), c.loadSome([]string{"pci:a", "pci:b", usbControl, usbData})); err != nil {
			t.Error(err)
		}
		tr.Check(t, `
0s load cdc_ether
0s load e1000
1s end cdc_ether
1s load cdc_subset
2s end cdc_subset
2s end e1000
2s end e1000_other
2s load e1000_other`)
	})
}

// An interface of a USB device that appears later, or that has only the second driver, waits for
// the first driver.
func TestColdplugOfLateInterface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := steptest.NewTrace()
		h := &hardware{probes: map[string]time.Duration{"cdc_ether": time.Second}}
		_, c, _ := machineWith(tr, h)
		c.match = func(alias string) []kmod.Module {
			if alias == usbControl {
				return []kmod.Module{{Name: "cdc_ether"}}
			}
			return []kmod.Module{{Name: "cdc_subset"}}
		}
		begun := append(c.loadSome([]string{usbControl, usbData}), c.loadSome([]string{usbData})...)
		if err := c.await(t.Context(), begun); err != nil || len(begun) != 2 {
			t.Errorf("%d loads, %v", len(begun), err)
		}
		tr.Check(t, `
0s load cdc_ether
1s end cdc_ether
1s end cdc_subset
1s load cdc_subset`)
	})
}

// The other drivers of a device wait for one whose load never ends for a limited time, and not when
// the coldplug is stopped.
func TestColdplugOfStuckDevice(t *testing.T) {
	for name, tt := range map[string]struct {
		stop time.Duration
		want string
	}{
		"goes on": {time.Hour, "0s load cdc_ether\n2h0m0s end cdc_ether\n30s end cdc_subset\n30s load cdc_subset"},
		"ends":    {time.Second, "0s load cdc_ether\n2h0m0s end cdc_ether"},
	} {
		synctest.Test(t, func(t *testing.T) {
			tr := steptest.NewTrace()
			h := &hardware{probes: map[string]time.Duration{"cdc_ether": 2 * time.Hour}}
			d, c, log := machineWith(tr, h)
			c.match = func(string) []kmod.Module { return []kmod.Module{{Name: "cdc_ether"}, {Name: "cdc_subset"}} }
			begun := c.loadSome([]string{usbControl})
			time.AfterFunc(tt.stop, c.stop)
			time.Sleep(deviceLimit + time.Second)
			if got := d.loads.names(); len(got) != 1 || got[0] != "cdc_ether" {
				t.Errorf("%s: loading are %q", name, got)
			}
			for _, one := range begun {
				<-one.done
			}
			tr.Check(t, tt.want)
			if lines := log.Lines(); len(lines) > 0 {
				t.Errorf("%s: %q", name, lines)
			}
		})
	}
}

func TestDeviceOf(t *testing.T) {
	for alias, want := range map[string]string{
		usbControl:                    "usb:v0525pA4A2d0000dc02dsc00dp00",
		usbData:                       "usb:v0525pA4A2d0000dc02dsc00dp00",
		"pci:v00008086d000010C9ic":    "pci:v00008086d000010C9ic",
		"virtio:d00000001v00001AF4":   "virtio:d00000001v00001AF4",
		"usb:v0B95p1790d0100dcFFnone": "usb:v0B95p1790d0100dcFFnone",
	} {
		if got := deviceOf(alias); got != want {
			t.Errorf("%s: %s", alias, got)
		}
	}
}
