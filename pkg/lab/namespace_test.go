package lab

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
)

func TestNamespaceClose(t *testing.T) {
	ns, err := NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	p, err := ns.StartCmd(exec.Command("sleep", "600"))
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("wait for a child that runs: %v", err)
	}
	for range 2 {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := syscall.Kill(p.Pid(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the child after Close: %v", err)
	}
	if _, err := os.Stat(ns.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory after Close: %v", err)
	}
	if err := ns.Do(func() error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("Do after Close: %v", err)
	}
	if _, err := ns.StartCmd(exec.Command("true")); !errors.Is(err, ErrClosed) {
		t.Errorf("StartCmd after Close: %v", err)
	}
}

func interfaceNames() (names []string, err error) {
	all, err := net.Interfaces()
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names, err
}

// TestDo: concurrent calls run inside the namespace, and nothing else does.
func TestDo(t *testing.T) {
	ns, _ := testNamespace(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			var names []string
			err := ns.Do(func() (err error) { names, err = interfaceNames(); return err })
			if err != nil || len(names) != 2 || names[1] != "tap0" {
				t.Errorf("inside: %v %v", names, err)
			}
			if names, err := interfaceNames(); err != nil || len(names) > 1 && names[1] == "tap0" {
				t.Errorf("outside: %v %v", names, err)
			}
		})
	}
	wg.Wait()
	if err := ns.Do(func() error { runtime.Goexit(); return nil }); !errors.Is(err, errNoReturn) {
		t.Errorf("a function that does not return: %v", err)
	}
}

func TestTap(t *testing.T) {
	ns, tap := testNamespace(t)
	flags := func() (f net.Flags) {
		err := ns.Do(func() error {
			i, err := net.InterfaceByName(tap.Name())
			if err == nil {
				f = i.Flags
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, up := range []bool{false, true} {
		if err := tap.SetUp(up); err != nil {
			t.Error(err)
		}
		if got := flags()&net.FlagUp != 0; got != up {
			t.Errorf("up %v, want %v", got, up)
		}
	}
	if _, err := ns.AddTap("tap0"); err == nil {
		t.Error("a second tap0: no error")
	}
	if _, err := ns.AddTap("tap1", netip.MustParsePrefix("fd77::1/64"), netip.MustParsePrefix("fd77::1/64")); err == nil {
		t.Error("the same address twice: no error")
	}
}
