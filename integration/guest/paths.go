//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// showPaths prints the multipath maps, with their size in sectors and what they do without a path,
// the groups of each, and the disks that are the paths of each group. Of a path's disk it prints
// how many sectors were written since it is there, as that of an array's member.
func showPaths() error {
	if _, err := os.Stat("/dev/mapper/control"); err != nil {
		say("maps: 0")
		return nil
	}
	c, err := dm.Open(nil)
	if err != nil {
		return err
	}
	list, err := c.List()
	maps := 0
	for _, d := range list {
		targets, serr := c.Status(d.Name)
		err = errors.Join(err, serr)
		for _, t := range targets {
			if t.Type == "multipath" {
				maps++
				err = errors.Join(err, showMap(c, d, t))
			}
		}
	}
	say("maps: %d", maps)
	return errors.Join(err, c.Close())
}

func showMap(c *dm.Control, d dm.Entry, t dm.Status) error {
	status, err := table.ParseMultipathStatus(t.Text)
	if err != nil {
		return err
	}
	text, err := c.TableText(d.Name)
	if err != nil {
		return err
	}
	without := "fails"
	if strings.Contains(text, " queue_if_no_path ") {
		without = "waits"
	}
	alive, failed, groups := 0, 0, ""
	for _, g := range status.Groups {
		groups += " " + string(g.State) + ":"
		for i, p := range g.Paths {
			state := "up"
			if p.Failed {
				state = "failed"
				failed++
			} else {
				alive++
			}
			if i > 0 {
				groups += ","
			}
			disk := diskOf(p.Number)
			groups += disk + "=" + state
			dir := "/sys/class/block/" + disk
			say("path %s%s written=%s", disk, attributesOf(dir+"/device", "state", "access_state"), written(dir))
		}
	}
	say("map %s has %d sectors and without a path it %s: %d alive, %d failed, groups%s;", d.Name, t.Length, without, alive, failed, groups)
	return nil
}

// diskOf is the name of the disk with a number.
func diskOf(n table.Number) string {
	dir, err := os.Readlink("/sys/dev/block/" + n.String())
	if err != nil {
		return n.String()
	}
	return filepath.Base(dir)
}
