package kernel

import (
	"fmt"
	"io"
)

// ConnError is why the kernel ended a connection.
type ConnError uint32

// connErrors are texts for the kernel's reasons (include/scsi/iscsi_if.h: enum iscsi_err,
// ISCSI_ERR_BASE is 1000).
var connErrors = map[ConnError]string{
	1001: "data out of order",                          // ISCSI_ERR_DATASN
	1002: "bad data offset",                            // ISCSI_ERR_DATA_OFFSET
	1003: "command number beyond the window",           // ISCSI_ERR_MAX_CMDSN
	1004: "command numbers do not fit",                 // ISCSI_ERR_EXP_CMDSN
	1005: "unexpected opcode",                          // ISCSI_ERR_BAD_OPCODE
	1006: "data longer than agreed",                    // ISCSI_ERR_DATALEN
	1007: "bad additional header",                      // ISCSI_ERR_AHSLEN
	1008: "protocol error",                             // ISCSI_ERR_PROTO
	1009: "bad LUN",                                    // ISCSI_ERR_LUN
	1010: "response with an unknown task tag",          // ISCSI_ERR_BAD_ITT
	1011: "connection failed",                          // ISCSI_ERR_CONN_FAILED
	1012: "request to transmit out of order",           // ISCSI_ERR_R2TSN
	1013: "session failed",                             // ISCSI_ERR_SESSION_FAILED
	1014: "header digest wrong",                        // ISCSI_ERR_HDR_DGST
	1015: "data digest wrong",                          // ISCSI_ERR_DATA_DGST
	1016: "parameter not found",                        // ISCSI_ERR_PARAM_NOT_FOUND
	1017: "no such command",                            // ISCSI_ERR_NO_SCSI_CMD
	1018: "host removed",                               // ISCSI_ERR_INVALID_HOST
	1019: "connection broke while sending",             // ISCSI_ERR_XMIT_FAILED
	1020: "target closed the connection",               // ISCSI_ERR_TCP_CONN_CLOSE
	1021: "SCSI error handling reset the session",      // ISCSI_ERR_SCSI_EH_SESSION_RST
	1022: "target did not answer a ping (NOP) in time", // ISCSI_ERR_NOP_TIMEDOUT
}

// Error implements error.
func (e ConnError) Error() string {
	if s, ok := connErrors[e]; ok {
		return fmt.Sprintf("%s (kernel error %d)", s, uint32(e))
	}
	return fmt.Sprintf("connection failed (kernel error %d, not in Linux 6.12)", uint32(e))
}

// Retryable returns true: a new connection can succeed.
func (e ConnError) Retryable() bool { return true }

// Is makes a closed connection an io.EOF, as for a TCP pipe.
func (e ConnError) Is(target error) bool { return e == TargetClosed && target == io.EOF }

// Reasons that callers compare.
const (
	// TargetClosed is also the error of a target that refuses without a response.
	TargetClosed ConnError = 1020
	// The connection broke, in either direction.
	Failed, SendFailed ConnError = 1011, 1019
	// Digests that are not what the receiver computes.
	HeaderDigestWrong, DataDigestWrong ConnError = 1014, 1015
	// The host, the session or its disks were removed or reset in this kernel.
	SessionFailed, HostRemoved, SessionReset ConnError = 1013, 1018, 1021
	// PingTimedOut: the target did not answer a NOP-Out in time.
	PingTimedOut ConnError = 1022
)
