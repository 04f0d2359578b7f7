//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
)

// showDisks prints the attributes of each SCSI disk that the kernel has probed: size, write
// protection, cache, identifiers, and the partitions.
func showDisks() error {
	disks, err := filepath.Glob("/sys/class/block/sd*")
	if err != nil {
		return err
	}
	for _, dir := range disks {
		text := "disk " + filepath.Base(dir)
		for _, name := range []string{"size", "ro", "start", "queue/write_cache", "queue/fua", "queue/discard_max_bytes", "queue/rotational", "device/wwid"} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				text += " " + filepath.Base(name) + "=" + strings.Join(strings.Fields(string(b)), "_")
			}
		}
		cache, _ := filepath.Glob(filepath.Join(dir, "device/scsi_disk/*/cache_type"))
		for _, path := range cache {
			if b, err := os.ReadFile(path); err == nil {
				text += " cache_type=" + strings.Join(strings.Fields(string(b)), "_")
			}
		}
		say("%s", text)
	}
	for _, path := range []string{"/sys/class/iscsi_session/session1/recovery_tmo", "/sys/class/iscsi_connection/connection1:0/ping_tmo", "/sys/class/iscsi_connection/connection1:0/recv_tmo"} {
		if b, err := os.ReadFile(path); err == nil {
			say("disk timer %s=%s", filepath.Base(path), strings.TrimSpace(string(b)))
		}
	}
	return nil
}
