package recovery

import (
	"context"
	"errors"
	"time"
)

// errNoCarrier is the cause of an outage of a path.
var errNoCarrier = errors.New("its NIC has lost the carrier")

// breakPaths begins the outages of paths whose NIC has lost the carrier: to wait for it, as a disk
// without another path does, would hold up the commands that another path can take.
func (a *Agent) breakPaths() {
	for _, w := range a.sessions {
		if w.down != nil || w.ended || !w.IsPath() || a.cfg.Carrier == nil || a.foreign(w) || a.cfg.Carrier(w.Via()) {
			continue
		}
		a.beginOutage(w, errNoCarrier)
		w.down.needsLogin = true
		a.stopConnection(w)
	}
}

// stopTimeout is how long the kernel may take to stop a connection.
const stopTimeout = 5 * time.Second

// stopConnection stops the connection of a path before a new one is dialled: commands in flight go
// another way only then. Kernels since 5.7 do so at the end of a connection
// (drivers/scsi/scsi_transport_iscsi.c: iscsi_conn_error_event), but see no carrier.
func (a *Agent) stopConnection(w *sessionState) {
	if w.down.running != noAttempt || a.foreign(w) {
		return
	}
	w.down.running = stopping
	ctx, cancel := context.WithTimeout(a.ctx, stopTimeout)
	w.down.stop = cancel
	a.attempt(w, cancel, result{outage: w.down, kind: stopping}, func(r *result) { r.err = w.Stop(ctx) })
}
