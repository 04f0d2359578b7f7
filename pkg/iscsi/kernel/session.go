package kernel

import (
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Session is a session in the kernel with its one connection.
type Session struct {
	t      *Transport
	SID    uint32 // session id; the kernel never gives one twice
	HostNo uint32 // SCSI host number
	CID    uint32 // connection id

	bound     atomic.Bool // since Bind, until Stop
	destroyed bool        // destroyed
}

// Bound reports whether the session has a connection that was not stopped, even a failed one.
func (s *Session) Bound() bool { return s.bound.Load() }

// Destroyed reports whether the session was destroyed.
func (s *Session) Destroyed() bool { return s.destroyed }

// Sysfs is where the kernel shows the session.
func (s *Session) Sysfs() Sysfs { return s.t.sysfs }

// String names the session for messages.
func (s *Session) String() string { return "session " + strconv.FormatUint(uint64(s.SID), 10) }

// ISID is the session's identifier on the wire: 00:02:3d, which is open-iscsi's OUI form, and the
// low 24 bits of the session id. iscsid logs in again with this ISID and cannot read another one.
func (s *Session) ISID() [6]byte {
	return [6]byte{0x00, 0x02, 0x3d, byte(s.SID >> 16), byte(s.SID >> 8), byte(s.SID)}
}

// Bind gives the connected TCP socket to the kernel, which takes a reference of its own: the caller
// must close fd afterwards, or the connection stays open after the kernel has closed it. fd must be
// open in this process.
func (s *Session) Bind(ctx context.Context, fd uintptr) error {
	// struct msg_bind_conn { uint32_t sid; uint32_t cid; uint64_t transport_eph; uint32_t
	// is_leading; } b_conn;
	ev := &uevent{typ: bindConn}
	ev.putU(s.SID, s.CID)
	native.PutUint64(ev.u[8:], uint64(fd))
	native.PutUint32(ev.u[16:], 1)
	err := s.t.command(ctx, ev, s.String())
	if err == nil {
		s.bound.Store(true)
	}
	return err
}

// Set sets parameters in their order. One that this kernel does not support is skipped.
func (s *Session) Set(ctx context.Context, settings []Setting) error {
	for _, v := range settings {
		// struct msg_set_param { uint32_t sid; uint32_t cid; uint32_t param; uint32_t len;
		// } set_param;
		ev := &uevent{typ: setParam, payload: v.payload()}
		ev.putU(s.SID, s.CID, uint32(v.Param), uint32(len(ev.payload)))
		_, err := s.t.request(ctx, ev, v.Param.String()+" of "+s.String())
		clear(ev.payload)
		if err != nil && !isErrno(err, unix.ENOSYS) {
			return err
		}
	}
	return nil
}

// Start enters full feature phase: commands flow from now on.
func (s *Session) Start(ctx context.Context) error {
	ev := &uevent{typ: startConn}
	ev.putU(s.SID, s.CID)
	return s.t.command(ctx, ev, s.String())
}

// Stop closes the connection and keeps the session, so that Bind can be tried again. It is required
// even after the kernel has detected the end of the connection: until then Bind fails with
// ENOTCONN.
func (s *Session) Stop(ctx context.Context) error { return s.stop(ctx, stopRecover) }

// How to stop a connection.
const (
	stopTerm    = 1 // #define STOP_CONN_TERM 0x1
	stopRecover = 3 // #define STOP_CONN_RECOVER 0x3
)

func (s *Session) stop(ctx context.Context, flag uint32) error {
	// struct msg_stop_conn { uint32_t sid; uint32_t cid; uint64_t conn_handle; uint32_t flag; }
	// stop_conn;
	ev := &uevent{typ: stopConn}
	ev.putU(s.SID, s.CID)
	native.PutUint32(ev.u[16:], flag)
	_, err := s.t.request(ctx, ev, s.String())
	if err == nil {
		s.bound.Store(false)
		s.t.mu.Lock()
		defer s.t.mu.Unlock()
		s.t.stops[connID{s.SID, s.CID}]++ // the reader has passed all events before the answer on
	}
	return err
}

// SetRecoveryTimeout sets for how many seconds the kernel holds I/O while the connection is down;
// negative: without an end. Written here it sticks: iscsid's own default does not overwrite it. The
// session must be started.
func (s *Session) SetRecoveryTimeout(seconds int) error {
	value := "off" // the kernel accepts no minus sign there
	if seconds >= 0 {
		value = strconv.Itoa(seconds)
	}
	return os.WriteFile(s.t.sysfs.SessionPath(s.SID, "recovery_tmo"), []byte(value), 0)
}

// ScanAll is the LUN that stands for all LUNs in Scan (include/scsi/scsi.h:
// #define SCAN_WILD_CARD ~0).
const ScanAll uint64 = math.MaxUint64

// Scan looks for one LUN, by the kernel's number of it, or for all, and returns when the SCSI
// devices exist; their disks may come a little later.
func (s *Session) Scan(lun uint64) error {
	target, err := s.t.sysfs.Session(s.SID, "target_id")
	if err != nil {
		return fmt.Errorf("scan %s: %w", s, err)
	}
	id, err := strconv.ParseUint(target, 10, 32)
	if err != nil {
		return fmt.Errorf("scan %s: target id: %w", s, err)
	}
	what := "-"
	if lun != ScanAll {
		what = strconv.FormatUint(lun, 10)
	}
	path := fmt.Sprintf("%s/class/scsi_host/host%d/scan", s.t.sysfs, s.HostNo)
	if err := os.WriteFile(path, fmt.Appendf(nil, "0 %d %s", id, what), 0); err != nil {
		return fmt.Errorf("scan %s: %w", s, err)
	}
	return nil
}
