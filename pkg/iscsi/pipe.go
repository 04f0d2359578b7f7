package iscsi

import "context"

// Pipe sends and receives whole PDUs of one connection; its methods must not be called
// concurrently. There are two: [TCPPipe], and the one that goes through the kernel's NETLINK_ISCSI
// (pkg/iscsi/kernel), which writes CmdSN and the Initiator Task Tag itself and returns a response
// with the tag that the request had.
//
// After an error a pipe cannot be used further.
type Pipe interface {
	// Send sends p to the target. It may write into p.BHS; it does not retain p.
	Send(ctx context.Context, p *PDU) error
	// Receive waits for the next PDU. Its error wraps io.EOF if the target closed the
	// connection between two PDUs, and ctx.Err() if that was the reason. The caller owns the
	// PDU.
	Receive(ctx context.Context) (*PDU, error)
}
