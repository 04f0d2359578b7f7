package kernel

import (
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Param is a session or connection parameter (include/scsi/iscsi_if.h: enum iscsi_param).
type Param uint32

// The parameters of a software session.
const (
	MaxRecvDataSegmentLength Param = 0  // ISCSI_PARAM_MAX_RECV_DLENGTH
	MaxXmitDataSegmentLength Param = 1  // ISCSI_PARAM_MAX_XMIT_DLENGTH
	HeaderDigest             Param = 2  // ISCSI_PARAM_HDRDGST_EN
	DataDigest               Param = 3  // ISCSI_PARAM_DATADGST_EN
	InitialR2T               Param = 4  // ISCSI_PARAM_INITIAL_R2T_EN
	MaxOutstandingR2T        Param = 5  // ISCSI_PARAM_MAX_R2T
	ImmediateData            Param = 6  // ISCSI_PARAM_IMM_DATA_EN
	FirstBurstLength         Param = 7  // ISCSI_PARAM_FIRST_BURST
	MaxBurstLength           Param = 8  // ISCSI_PARAM_MAX_BURST
	DataPDUInOrder           Param = 9  // ISCSI_PARAM_PDU_INORDER_EN
	DataSequenceInOrder      Param = 10 // ISCSI_PARAM_DATASEQ_INORDER_EN
	ErrorRecoveryLevel       Param = 11 // ISCSI_PARAM_ERL
	ExpStatSN                Param = 14 // ISCSI_PARAM_EXP_STATSN
	TargetName               Param = 15 // ISCSI_PARAM_TARGET_NAME
	TPGT                     Param = 16 // ISCSI_PARAM_TPGT
	PersistentAddress        Param = 17 // ISCSI_PARAM_PERSISTENT_ADDRESS
	PersistentPort           Param = 18 // ISCSI_PARAM_PERSISTENT_PORT
	Username                 Param = 22 // ISCSI_PARAM_USERNAME
	UsernameIn               Param = 23 // ISCSI_PARAM_USERNAME_IN
	Password                 Param = 24 // ISCSI_PARAM_PASSWORD
	PasswordIn               Param = 25 // ISCSI_PARAM_PASSWORD_IN
	FastAbort                Param = 26 // ISCSI_PARAM_FAST_ABORT
	AbortTimeout             Param = 27 // ISCSI_PARAM_ABORT_TMO, seconds
	LUResetTimeout           Param = 28 // ISCSI_PARAM_LU_RESET_TMO, seconds
	PingTimeout              Param = 30 // ISCSI_PARAM_PING_TMO, seconds
	RecvTimeout              Param = 31 // ISCSI_PARAM_RECV_TMO, seconds
	InterfaceName            Param = 32 // ISCSI_PARAM_IFACE_NAME
	InitiatorName            Param = 34 // ISCSI_PARAM_INITIATOR_NAME
	TargetResetTimeout       Param = 35 // ISCSI_PARAM_TGT_RESET_TMO, seconds
)

var paramNames = map[Param]string{
	MaxRecvDataSegmentLength: "MaxRecvDataSegmentLength", MaxXmitDataSegmentLength: "MaxXmitDataSegmentLength",
	HeaderDigest: "HeaderDigest", DataDigest: "DataDigest", InitialR2T: "InitialR2T",
	MaxOutstandingR2T: "MaxOutstandingR2T", ImmediateData: "ImmediateData",
	FirstBurstLength: "FirstBurstLength", MaxBurstLength: "MaxBurstLength",
	DataPDUInOrder: "DataPDUInOrder", DataSequenceInOrder: "DataSequenceInOrder",
	ErrorRecoveryLevel: "ErrorRecoveryLevel", ExpStatSN: "ExpStatSN", TargetName: "TargetName", TPGT: "TPGT",
	PersistentAddress: "persistent address", PersistentPort: "persistent port",
	Username: "CHAP user", UsernameIn: "CHAP user of the target", Password: "CHAP secret", PasswordIn: "CHAP secret of the target", FastAbort: "fast abort",
	AbortTimeout: "abort timeout", LUResetTimeout: "lu reset timeout", PingTimeout: "ping timeout",
	RecvTimeout: "recv timeout", InterfaceName: "interface name", InitiatorName: "InitiatorName",
	TargetResetTimeout: "target reset timeout",
}

// String names the parameter, never its value.
func (p Param) String() string {
	if s, ok := paramNames[p]; ok {
		return s
	}
	return fmt.Sprintf("parameter %d", uint32(p))
}

// Setting is a parameter with its value in the kernel's form: text, numbers in decimal, booleans as
// 0 and 1. The kernel ends it at the first byte 0.
type Setting struct {
	Param Param
	Value string
	// Secret, if it is not empty, is the value; no copy of it is left in this process.
	Secret iscsi.Secret
}

// payload returns the value as it goes to the kernel.
func (s Setting) payload() []byte {
	value := s.Secret.Bytes()
	if s.Secret.Empty() {
		value = []byte(s.Value)
	}
	b := make([]byte, len(value)+1) // with room for the NUL, so that nothing is copied again
	copy(b, value)
	return b
}
