//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// attributes are those that iscsid reads before it takes a session over, and the timers of the
// session.
var attributes = []string{
	"iscsi_session/*/targetname", "iscsi_session/*/initiatorname", "iscsi_session/*/tpgt", "iscsi_session/*/ifacename",
	"iscsi_session/*/state", "iscsi_session/*/recovery_tmo", "iscsi_session/*/abort_tmo", "iscsi_session/*/lu_reset_tmo",
	"iscsi_session/*/tgt_reset_tmo", "iscsi_session/*/username", "iscsi_session/*/username_in", "iscsi_session/*/fast_abort", "iscsi_session/*/first_burst_len",
	"iscsi_session/*/max_burst_len", "iscsi_session/*/immediate_data", "iscsi_session/*/initial_r2t",
	"iscsi_connection/*/persistent_address", "iscsi_connection/*/persistent_port", "iscsi_connection/*/address",
	"iscsi_connection/*/state", "iscsi_connection/*/ping_tmo", "iscsi_connection/*/recv_tmo",
	"iscsi_connection/*/max_recv_dlength", "iscsi_connection/*/max_xmit_dlength", "iscsi_connection/*/header_digest",
	"iscsi_connection/*/data_digest",
}

func showSession() error {
	for _, a := range attributes {
		paths, err := filepath.Glob("/sys/class/" + a)
		if err != nil {
			return err
		}
		for _, p := range paths {
			b, err := os.ReadFile(p)
			switch {
			case errors.Is(err, unix.ENOTCONN): // of a session that has no connection, as of a path that is not used
				say("session: %s is not connected", p)
				continue
			case err != nil:
				return err
			}
			say("session: %s=%s", filepath.Base(p), strings.TrimSpace(string(b)))
		}
	}
	luns, err := filepath.Glob("/sys/class/scsi_device/*")
	for _, l := range luns {
		say("scsi device %s", filepath.Base(l))
	}
	return err
}

// showCHAP prints the lengths of the CHAP secrets in the kernel.
func showCHAP() error {
	var lengths []any
	for _, name := range []string{"password", "password_in"} {
		paths, err := filepath.Glob("/sys/class/iscsi_session/*/" + name)
		if err != nil || len(paths) != 1 {
			return fmt.Errorf("%d sessions with a %s, %w", len(paths), name, err)
		}
		b, err := os.ReadFile(paths[0])
		if err != nil {
			return err
		}
		lengths = append(lengths, len(strings.TrimSpace(string(b))))
	}
	say("chap: secrets of %d and %d bytes", lengths...)
	return nil
}
