//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
)

// showArrays prints the md arrays and the raid volumes that run, arrays with their members, as
// sysfs has them (Documentation/admin-guide/md.rst), and as mdadm does if root has it. Of a
// member's disk it prints how many sectors were written since it is there.
func showArrays() error {
	arrays, err := filepath.Glob("/sys/class/block/md*/md")
	if err != nil {
		return err
	}
	for _, dir := range arrays {
		name := filepath.Base(filepath.Dir(dir))
		say("array %s%s", name, attributesOf(dir, "level", "array_state", "degraded", "sync_action"))
		members, err := filepath.Glob(dir + "/dev-*")
		if err != nil {
			return err
		}
		for _, member := range members {
			say("member %s of %s%s written=%s", strings.TrimPrefix(filepath.Base(member), "dev-"), name, attributesOf(member, "slot", "state"), written(member+"/block"))
		}
		mdadm("--detail", "/dev/"+name)
	}
	mdadm("--detail", "--scan")
	return showRaidVolumes()
}

// showRaidVolumes prints the state of the raids of device-mapper
// (Documentation/admin-guide/device-mapper/dm-raid.rst).
func showRaidVolumes() error {
	if _, err := os.Stat("/dev/mapper/control"); err != nil {
		return nil
	}
	c, err := dm.Open(nil)
	if err != nil {
		return err
	}
	list, err := c.List()
	for _, d := range list {
		targets, serr := c.Status(d.Name)
		err = errors.Join(err, serr)
		for _, t := range targets {
			if t.Type == "raid" {
				say("raid %s %s", d.Name, t.Text)
			}
		}
	}
	return errors.Join(err, c.Close())
}

func attributesOf(dir string, names ...string) (out string) {
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			out += " " + name + "=" + strings.TrimSpace(string(b))
		}
	}
	return out
}

// written is how many sectors were written to a block device (Documentation/block/stat.rst).
func written(device string) string {
	b, err := os.ReadFile(filepath.Join(device, "stat"))
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 7 {
		return "?"
	}
	return fields[6]
}

// mdadm runs mdadm if there is one.
func mdadm(args ...string) {
	const program = "/sbin/mdadm"
	if _, err := os.Stat(program); err != nil {
		return
	}
	out, err := exec.Command(program, args...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		say("mdadm: %s", strings.TrimSpace(line))
	}
	if err != nil {
		say("mdadm %s: error: %v", strings.Join(args, " "), err)
	}
}
