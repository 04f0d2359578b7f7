package status

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
	"github.com/iscsiroot/iscsiroot/pkg/mounts"
)

// Arrays returns a paragraph for each md array that runs, with its members and the session that
// each stands on. sys is where sysfs is mounted.
func Arrays(sys string) string {
	text, _ := arrays(sys, false)
	return text
}

// arrays returns the paragraphs, of all arrays or of those on iSCSI disks, and what is wrong with
// them.
func arrays(sys string, iscsi bool) (text string, wrong []string) {
	p := array.Paths{Sys: sys}
	names, _ := p.List() // none
	var out strings.Builder
	for _, name := range names {
		s, err := p.State(name)
		if err != nil {
			continue // it has just been stopped
		}
		if d, err := blockdev.Read(sys, name); iscsi && (err != nil || !slices.ContainsFunc(d.Disks(), isLUN)) {
			continue
		}
		fmt.Fprintf(&out, "%s: %s\n", name, arrayText(&s))
		for _, line := range memberLines(sys, &s) {
			fmt.Fprintf(&out, "  %-10s %s\n", line[0], line[1])
		}
		if s.Degraded > 0 {
			wrong = append(wrong, "array "+name+" is degraded")
		}
	}
	return out.String(), wrong
}

func isLUN(d *blockdev.Device) bool { return d.LUN != nil }

// arrayText describes the state of an array, as "raid1, 1 of 2 members in sync, active, recovery
// 12.5 %". An array without redundancy works with all members only.
func arrayText(s *array.State) string {
	text := fmt.Sprintf("%s, %d of %d members in sync, %s", s.Level, s.Disks-s.Degraded, s.Disks, arrayState(s.ArrayState))
	action := map[string]string{"recover": "recovery"}[s.SyncAction]
	switch {
	case s.SyncAction == "" || s.SyncAction == "idle":
		return text
	case action == "":
		action = s.SyncAction
	}
	text += ", " + action
	if s.Total > 0 {
		text += fmt.Sprintf(" %.1f %%", float64(s.Done)*100/float64(s.Total))
	}
	if s.Speed > 0 {
		text += fmt.Sprintf(", %d KiB/s", s.Speed)
	}
	return text
}

// arrayState describes a state of the kernel's (Documentation/admin-guide/md.rst: array_state).
func arrayState(state string) string {
	switch state {
	case "read-auto":
		return "read-only until the first write"
	case "readonly":
		return "read-only"
	case "write-pending", "active-idle":
		return "active"
	case "broken":
		return "broken: members are lost that it needs"
	}
	return state
}

// memberLines are a line for each slot, and for each member that has none.
func memberLines(sys string, s *array.State) (out []field) {
	for slot := range s.Disks {
		found := false
		for _, m := range s.Members {
			if m.Slot == slot {
				found = true
				out = append(out, field{fmt.Sprintf("slot %d", slot), memberText(sys, m)})
			}
		}
		if !found {
			out = append(out, field{fmt.Sprintf("slot %d", slot), "missing"})
		}
	}
	for _, m := range s.Members {
		if m.Slot < 0 || m.Slot >= s.Disks {
			out = append(out, field{"no slot", memberText(sys, m)})
		}
	}
	return out
}

func memberText(sys string, m array.MemberState) string {
	state := strings.Join(m.Flags, ", ")
	switch {
	case m.Is("faulty"):
		state = "failed"
	case m.Is("in_sync"):
		state = "in sync"
	case m.Is("spare") && m.Slot >= 0:
		state = "is being rebuilt"
	}
	if m.Device == "" {
		return "a disk that is gone, " + state
	}
	return m.Device + onSessions(sys, m.Device) + ", " + state
}

// onSessions names the sessions that a device stands on, as " on session 1, which is down".
func onSessions(sys, name string) string {
	d, err := blockdev.Read(sys, name)
	if err != nil {
		return ""
	}
	var names []string
	for _, disk := range d.Disks() {
		if disk.LUN == nil {
			continue
		}
		name := fmt.Sprintf("session %d", disk.LUN.Session)
		if state := known(kernel.Sysfs(sys).Session(disk.LUN.Session, "state")); state != "LOGGED_IN" {
			name += ", which is down"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " on " + strings.Join(names, " and ")
}

// rootStack returns what root stands on, as "vg-root on md127 on (sda2, sdb2)"; empty: it is a disk
// or a partition of one, or no block device.
func rootStack(s System) string {
	mountinfo, err := os.ReadFile(filepath.Join(s.Proc, "self/mountinfo"))
	if err != nil {
		return ""
	}
	link, err := os.Readlink(filepath.Join(s.Sys, "dev/block", mounts.Number(string(mountinfo), "/")))
	if err != nil {
		return ""
	}
	d, err := blockdev.Read(s.Sys, filepath.Base(link))
	if err != nil || !stacked(d) {
		return ""
	}
	return stackText(d)
}

// stacked reports whether a device is of device-mapper or an array, or a partition of one.
func stacked(d *blockdev.Device) bool {
	if d.Kind == blockdev.KindPartition && len(d.Parents) > 0 {
		d = d.Parents[0]
	}
	return d.Map != "" || d.Kind == blockdev.KindMD
}

func stackText(d *blockdev.Device) string {
	name := strings.TrimPrefix(strings.TrimPrefix(d.Path(), "/dev/mapper/"), "/dev/")
	if !stacked(d) || len(d.Parents) == 0 {
		return name
	}
	var below []string
	for _, p := range d.Parents {
		below = append(below, stackText(p))
	}
	if len(below) == 1 {
		return name + " on " + below[0]
	}
	return name + " on (" + strings.Join(below, ", ") + ")"
}
