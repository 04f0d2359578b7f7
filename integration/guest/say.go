//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
)

// say prints a line on the console by way of the kernel's log: the kernel's lines may interrupt
// what a program writes to the console itself, and the host would wait for a text that never comes.
func say(format string, args ...any) {
	text := "guest: " + strings.TrimRight(fmt.Sprintf(format, args...), "\n")
	if err := record(text); err != nil { // no /dev, or a line too long for a record
		fmt.Println(text)
	}
}

// record writes a record that is shown at any log level of the console. Without the line's end the
// kernel would wait for the rest of it.
func record(text string) error {
	kmsg, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = kmsg.WriteString("<1>" + text + "\n")
	if closed := kmsg.Close(); err == nil {
		err = closed
	}
	return err
}

// unlimited takes away the limit of ten lines in five seconds.
func unlimited() {
	_ = os.WriteFile("/proc/sys/kernel/printk_devkmsg", []byte("on"), 0)
}
