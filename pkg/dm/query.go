package dm

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// Info returns the state of a device. unix.ENXIO: it does not exist.
func (c *Control) Info(name string) (Info, error) {
	h, _, err := c.device("look at", unix.DM_DEV_STATUS, &header{name: name}, nil)
	return h.info(), err
}

// Wait waits until a device has had another number of events than Info.Event: its targets have
// some, as the end of a raid's resynchronization; so has a new table, and the removal. It cannot be
// interrupted.
func (c *Control) Wait(name string, event uint32) (Info, error) {
	h, _, err := c.device("wait for", unix.DM_DEV_WAIT, &header{name: name, event: event, flags: unix.DM_NOFLUSH_FLAG}, nil)
	return h.info(), err
}

// Status returns the state of each target, as text: pkg/dm/table reads some. It does not make a
// pool write its metadata, as dmsetup does without --noflush.
func (c *Control) Status(name string) ([]Status, error) {
	return c.status("get status of", name, unix.DM_NOFLUSH_FLAG)
}

// Table returns the table in use. A target that pkg/dm/table does not have is an error.
func (c *Control) Table(name string) (table.Table, error) {
	lines, err := c.status("get table of", name, unix.DM_STATUS_TABLE_FLAG|unix.DM_NOFLUSH_FLAG)
	if err != nil {
		return nil, err
	}
	var t table.Table
	for _, l := range lines {
		target, err := table.Parse(l.Type, l.Text)
		if err != nil {
			return nil, fmt.Errorf("get table of dm device %s: %w", name, err)
		}
		t = append(t, table.Line{Start: l.Start, Length: l.Length, Target: target})
	}
	return t, nil
}

// TableText returns the table in use as its text, in the form of [table.Table.String]. Targets that
// pkg/dm/table does not have are in it as well.
func (c *Control) TableText(name string) (string, error) {
	lines, err := c.status("get table of", name, unix.DM_STATUS_TABLE_FLAG|unix.DM_NOFLUSH_FLAG)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, l := range lines {
		words := []string{strconv.FormatUint(l.Start, 10), strconv.FormatUint(l.Length, 10), l.Type}
		words = append(words, strings.Fields(l.Text)...) // the kernel ends some with a space
		b.WriteString(strings.Join(words, " ") + "\n")
	}
	return b.String(), nil
}

func (c *Control) status(op, name string, flags uint32) ([]Status, error) {
	h, data, err := c.device(op, unix.DM_TABLE_STATUS, &header{name: name, flags: flags}, nil)
	if err != nil {
		return nil, err
	}
	out, err := unmarshalStatus(data, h.targets)
	if err != nil {
		return nil, fmt.Errorf("%s dm device %s: %w", op, name, err)
	}
	return out, nil
}

// Deps returns the devices that the table in use stands on.
func (c *Control) Deps(name string) ([]table.Number, error) {
	_, data, err := c.device("get devices of", unix.DM_TABLE_DEPS, &header{name: name}, nil)
	if err != nil {
		return nil, err
	}
	out, err := unmarshalDeps(data)
	if err != nil {
		return nil, fmt.Errorf("get devices of dm device %s: %w", name, err)
	}
	return out, nil
}

// List returns all devices.
func (c *Control) List() ([]Entry, error) {
	var out []Entry
	_, data, err := c.call(unix.DM_LIST_DEVICES, &header{}, nil)
	if err == nil {
		out, err = unmarshalList(data)
	}
	if err != nil {
		return nil, fmt.Errorf("list dm devices: %w", err)
	}
	return out, nil
}

// Message sends text to the target that has a sector of the table in use: words, as "fail_path
// 8:16". Most targets answer nothing.
func (c *Control) Message(name string, sector uint64, text string) (string, error) {
	// struct dm_target_msg { __u64 sector; char message[]; }
	data := native.AppendUint64(nil, sector)
	data = append(append(data, text...), 0)
	h, out, err := c.device("send a message to", unix.DM_TARGET_MSG, &header{name: name}, data)
	if err != nil || h.flags&unix.DM_DATA_OUT_FLAG == 0 {
		return "", err
	}
	return cString(out), nil
}
