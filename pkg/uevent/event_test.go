package uevent

import (
	"errors"
	"os"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// sda2 is the event of a kernel 6.1 for a partition on a LUN.
const sda2 = "add@/devices/platform/host2/session1/target2:0:0/2:0:0:1/block/sda/sda2\x00ACTION=add\x00" +
	"DEVPATH=/devices/platform/host2/session1/target2:0:0/2:0:0:1/block/sda/sda2\x00SUBSYSTEM=block\x00" +
	"MAJOR=8\x00MINOR=2\x00DEVNAME=sda2\x00DEVTYPE=partition\x00DISKSEQ=9\x00PARTN=2\x00SEQNUM=1325\x00"

func TestParse(t *testing.T) {
	pci := "add@/devices/pci0000:00/0000:00:03.0\x00ACTION=add\x00DEVPATH=/devices/pci0000:00/0000:00:03.0\x00" +
		"SUBSYSTEM=pci\x00PCI_CLASS=20000\x00MODALIAS=pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00\x00SEQNUM=812\x00"
	tests := []struct {
		name, in string
		want     Event
		err      error
	}{
		{"partition", sda2, Event{"add", "/devices/platform/host2/session1/target2:0:0/2:0:0:1/block/sda/sda2", "block", "", "sda2"}, nil},
		{"pci", pci, Event{"add", "/devices/pci0000:00/0000:00:03.0", "pci", "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00", ""}, nil},
		{"no variables", "remove@/a\x00", Event{Action: "remove", DevPath: "/a"}, nil},
		{"variable without value", "add@/a\x00SUBSYSTEM\x00", Event{Action: "add", DevPath: "/a"}, nil},
		{"empty", "", Event{}, ErrFormat},
		{"no end", "add@/a", Event{}, ErrFormat},
		{"udev's own format", "libudev\x00\xfe\xed\xca\xfe", Event{}, ErrFormat},
		{"no path", "add@a\x00", Event{}, ErrFormat},
		{"too long", string(make([]byte, maxEvent+1)), Event{}, ErrFormat},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse([]byte(tt.in))
			if got != tt.want || err != tt.err {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// A kernel's event after a request to announce a device again.
func TestParseCaptured(t *testing.T) {
	b, err := os.ReadFile("testdata/null.uevent")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(b)
	if want := (Event{"change", "/devices/virtual/mem/null", "mem", "", "null"}); got != want || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	captured, err := os.ReadFile("testdata/null.uevent")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(captured)
	f.Add([]byte(sda2))
	f.Add([]byte("libudev\x00\xfe\xed\xca\xfe"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ev, err := Parse(b)
		if err == nil && (ev.Action == "" || ev.DevPath[0] != '/') {
			t.Errorf("accepted %+v", ev)
		}
	})
}

// A panic over one message is an event that was lost: those that wait look for themselves, and the
// reader goes on. A reader that does nothing but panic ends every wait with that error.
func TestPanic(t *testing.T) {
	messages := make(chan string)
	broken := false
	l := &Listener{subs: map[*subscriber]struct{}{}, receive: func(buf []byte) (int, error) {
		m := "panic"
		if !broken {
			m = <-messages
		}
		broken = broken || m == "broken"
		if broken || m == "panic" {
			panic(m)
		}
		return copy(buf, m), nil
	}}
	done := make(chan struct{})
	go func() { defer close(done); l.read() }()
	var got []string
	err := l.Wait(t.Context(), func(ev Event) (bool, error) {
		got = append(got, ev.Action)
		switch len(got) {
		case 1:
			messages <- "panic"
		case 2:
			messages <- "add@/a\x00"
		case 3:
			messages <- "broken"
		}
		return false, nil
	})
	<-done
	var p *contain.PanicError
	if !errors.As(err, &p) {
		t.Errorf("error %v, want a *contain.PanicError", err)
	}
	if len(got) < 3 || got[1] != "" || got[2] != "add" {
		t.Errorf("events %q, want the first, a lost one, and add", got)
	}
	if err := l.Wait(t.Context(), func(Event) (bool, error) { return false, nil }); !errors.As(err, &p) {
		t.Errorf("error %v of a later wait, want a *contain.PanicError", err)
	}
}

// Who is too slow for the events learns that some were lost.
func TestWaitLost(t *testing.T) {
	l := &Listener{subs: map[*subscriber]struct{}{}}
	var got []string
	err := l.Wait(t.Context(), func(ev Event) (bool, error) {
		if len(got) == 0 {
			for range 100 {
				l.send(Event{Action: "add"})
			}
		}
		got = append(got, ev.Action)
		return len(got) > 1 && ev.Action == "", nil
	})
	if err != nil || len(got) != 66 {
		t.Errorf("%d calls, %v; want the first, 64 events and the one for those that were lost", len(got), err)
	}
}
