package iscsi

import "context"

// Pipe sends and receives the whole PDUs of one connection, one after the other and never at the
// same time. There are two: [TCPPipe], and the one that goes through the kernel's NETLINK_ISCSI
// (pkg/iscsi/kernel), which writes CmdSN and the Initiator Task Tag itself and gives a response
// back with the tag that the request had.
//
// A pipe that returned an error is of no further use.
type Pipe interface {
	// Send hands p to the target. It may write into p.BHS; it keeps nothing.
	Send(ctx context.Context, p *PDU) error
	// Receive waits for the next PDU. Its error wraps io.EOF if the target closed the
	// connection between two PDUs, and ctx.Err() if that was the reason. The caller owns the
	// PDU.
	Receive(ctx context.Context) (*PDU, error)
}
