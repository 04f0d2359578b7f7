package lab

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// qmpDescriptor is the first of exec.Cmd.ExtraFiles in the child.
const qmpDescriptor = 3

// qemuArgs is QEMU's command line. KVM is only used on request: a /dev/kvm that exists may still
// hang.
func qemuArgs(c MachineConfig, kvm bool) []string {
	accel := "tcg"
	if kvm {
		accel = "kvm"
	}
	args := []string{
		"-no-user-config", "-nodefaults", "-display", "none", "-accel", accel,
		"-smp", strconv.Itoa(orDefault(c.CPUs, 1)), "-m", strconv.Itoa(memoryMiB(c)),
		"-chardev", fmt.Sprintf("socket,id=qmp,fd=%d", qmpDescriptor), "-mon", "chardev=qmp,mode=control",
	}
	if c.Terminal {
		args = append(args, "-serial", "mon:stdio")
	} else {
		args = append(args, "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console")
	}
	if !c.Reboot {
		args = append(args, "-no-reboot")
	}
	if c.Kernel != "" {
		args = append(args, "-kernel", c.Kernel, "-append", commandLine(c.Append))
	} else {
		args = append(args, "-machine", "graphics=off") // SeaBIOS has the serial line as screen and keyboard then
	}
	if c.Initrd != "" {
		args = append(args, "-initrd", c.Initrd)
	}
	for i, nic := range c.NICs {
		args = append(args, nicArgs(i, nic, c.Kernel == "" && !c.UEFI)...)
	}
	return slices.Concat(args, memoryArgs(c), c.Args)
}

func memoryMiB(c MachineConfig) int { return orDefault(c.MemoryMiB, 512) }

func nicArgs(i int, nic NIC, rom bool) []string {
	model, mac := nic.Model, nic.MAC
	if model == "" {
		model = "virtio-net-pci"
	}
	if mac == "" {
		mac = fmt.Sprintf("52:54:00:77:00:%02x", i+1)
	}
	device := fmt.Sprintf("%s,netdev=%s,mac=%s", model, nicID(i), mac)
	if !rom {
		device += ",romfile=" // unused; iPXE in it would pass the wrong command line to a UEFI program
	}
	return []string{
		"-netdev", fmt.Sprintf("tap,id=%s,ifname=%s,script=no,downscript=no", nicID(i), nic.Tap.Name()),
		"-device", device,
	}
}

func nicID(i int) string { return fmt.Sprintf("nic%d", i) }

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// words are added for the kernel. On a busy host the emulated timer can be so late that the kernel
// panics ("IO-APIC + timer doesn't work"): no_timer_check. An emulated processor spends a fifth of
// the kernel's start on work without effect: the tests of the ciphers, and the detours of indirect
// calls, which QEMU cannot predict.
const words = " no_timer_check mitigations=off cryptomgr.notests"

// commandLine adds the words. After a lone -- words are init's, and the place of each word before
// counts in messages, so they are the last ones before that.
func commandLine(text string) string {
	if before, after, found := strings.Cut(text, " -- "); found {
		return before + words + " -- " + after
	}
	return text + words
}
