package uevent

import (
	"bytes"
	"errors"
	"strings"
)

// maxEvent is more than the kernel sends: its buffer of variables is 2048 bytes
// (include/linux/kobject.h: UEVENT_BUFFER_SIZE), and the header is a path.
const maxEvent = 8192

// ErrFormat reports that a message is not a uevent.
var ErrFormat = errors.New("not a kernel uevent")

// Event is a uevent of a device.
type Event struct {
	Action    string // "add", "remove", "change", "bind", ...
	DevPath   string // below /sys, begins with '/'
	Subsystem string // "block", "net", ...
	Modalias  string // for what has one
	DevName   string // name of the node below /dev, if there is one
}

// Parse reads a message as lib/kobject_uevent.c writes it: ACTION@DEVPATH and KEY=VALUE strings,
// each ended by a NUL.
func Parse(b []byte) (Event, error) {
	if len(b) > maxEvent {
		return Event{}, ErrFormat
	}
	head, rest, ok := bytes.Cut(b, []byte{0})
	if !ok {
		return Event{}, ErrFormat
	}
	action, path, ok := strings.Cut(string(head), "@")
	if !ok || action == "" || !strings.HasPrefix(path, "/") {
		return Event{}, ErrFormat
	}
	ev := Event{Action: action, DevPath: path}
	for len(rest) > 0 {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, []byte{0})
		key, value, _ := strings.Cut(string(pair), "=")
		switch key {
		case "SUBSYSTEM":
			ev.Subsystem = value
		case "MODALIAS":
			ev.Modalias = value
		case "DEVNAME":
			ev.DevName = value
		}
	}
	return ev, nil
}
