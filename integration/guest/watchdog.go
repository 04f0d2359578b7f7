//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// startWatchdog starts the machine's Intel 6300ESB watchdog with a time-out of about ten seconds,
// as firmware may. It returns false if there is none.
func startWatchdog() (bool, error) {
	devices, err := filepath.Glob("/sys/bus/pci/devices/*")
	if err != nil {
		return false, err
	}
	for _, dev := range devices {
		id, err := os.ReadFile(filepath.Join(dev, "device"))
		if err == nil && string(id) == "0x25ab\n" { // PCI_DEVICE_ID_INTEL_ESB_9
			return true, startESB(dev)
		}
	}
	return false, nil
}

// Registers and values of drivers/watchdog/i6300esb.c.
const (
	esbTimer1 = 0x00 // #define ESB_TIMER1_REG(w) ((w)->base + 0x00)
	esbTimer2 = 0x04 // #define ESB_TIMER2_REG(w) ((w)->base + 0x04)
	esbReload = 0x0c // #define ESB_RELOAD_REG(w) ((w)->base + 0x0c)
	esbLock   = 0x68 // #define ESB_LOCK_REG 0x68, in PCI configuration
	esbEnable = 0x02 // #define ESB_WDT_ENABLE (0x01 << 1)
	// A stage of n seconds is n << 9, for a 33 MHz clock.
	esbFiveSeconds = 5 << 9
)

func startESB(dev string) error {
	if err := os.WriteFile(filepath.Join(dev, "enable"), []byte("1"), 0); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dev, "resource0"), os.O_RDWR|unix.O_SYNC, 0)
	if err != nil {
		return err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	// The registers need not begin at a page.
	text, err := os.ReadFile(filepath.Join(dev, "resource"))
	if err != nil {
		return err
	}
	var start uint64
	if _, err := fmt.Sscanf(string(text), "0x%x", &start); err != nil {
		return err
	}
	mem = mem[start%uint64(os.Getpagesize()):]
	// Each register is written after the two bytes that unlock it.
	for _, reg := range []int{esbTimer1, esbTimer2} {
		write16(mem, esbReload, 0x80)
		write16(mem, esbReload, 0x86)
		write32(mem, reg, esbFiveSeconds)
	}
	config, err := os.OpenFile(filepath.Join(dev, "config"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if _, err := config.WriteAt([]byte{esbEnable}, esbLock); err != nil {
		return err
	}
	say("watchdog started")
	return config.Close()
}

// Inlined, the first of two writes to a register would be dropped.
//
//go:noinline
func write16(mem []byte, reg int, v uint16) { *(*uint16)(unsafe.Pointer(&mem[reg])) = v }

//go:noinline
func write32(mem []byte, reg int, v uint32) { *(*uint32)(unsafe.Pointer(&mem[reg])) = v }

// shell runs when the guest is the debug shell of an image: it searches the texts of /etc/hunts, if
// that exists.
func shell() {
	if list, err := os.ReadFile("/etc/hunts"); err == nil {
		for text := range strings.FieldsSeq(string(list)) {
			if err := hunt(text); err != nil {
				say("hunt: error: %v", err)
			}
		}
		return
	}
	found, err := startWatchdog()
	if err != nil {
		say("watchdog: %v", err)
	}
	if !found {
		signalInit()
		time.Sleep(time.Hour) // the signal is on its way
	}
}
