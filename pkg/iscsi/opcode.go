package iscsi

import "fmt"

// Opcode is the operation code of a PDU, the low six bits of its first byte (RFC 7143 11.2.1.2).
type Opcode uint8

// The operation codes of RFC 7143 11.2.1.2; initiator codes are below 0x20.
const (
	OpNOPOut          Opcode = 0x00
	OpSCSICommand     Opcode = 0x01
	OpTaskMgmtRequest Opcode = 0x02
	OpLoginRequest    Opcode = 0x03
	OpTextRequest     Opcode = 0x04
	OpDataOut         Opcode = 0x05
	OpLogoutRequest   Opcode = 0x06
	OpSNACK           Opcode = 0x10

	OpNOPIn            Opcode = 0x20
	OpSCSIResponse     Opcode = 0x21
	OpTaskMgmtResponse Opcode = 0x22
	OpLoginResponse    Opcode = 0x23
	OpTextResponse     Opcode = 0x24
	OpDataIn           Opcode = 0x25
	OpLogoutResponse   Opcode = 0x26
	OpR2T              Opcode = 0x31
	OpAsyncMessage     Opcode = 0x32
	OpReject           Opcode = 0x3f
)

// String returns the RFC's name of the operation, or its number in hex.
func (o Opcode) String() string {
	for _, e := range opcodeNames {
		if e.op == o {
			return e.name
		}
	}
	return fmt.Sprintf("opcode 0x%02x", uint8(o))
}

var opcodeNames = [...]struct {
	op   Opcode
	name string
}{
	{OpNOPOut, "NOP-Out"},
	{OpSCSICommand, "SCSI Command"},
	{OpTaskMgmtRequest, "Task Management Function Request"},
	{OpLoginRequest, "Login Request"},
	{OpTextRequest, "Text Request"},
	{OpDataOut, "SCSI Data-Out"},
	{OpLogoutRequest, "Logout Request"},
	{OpSNACK, "SNACK Request"},
	{OpNOPIn, "NOP-In"},
	{OpSCSIResponse, "SCSI Response"},
	{OpTaskMgmtResponse, "Task Management Function Response"},
	{OpLoginResponse, "Login Response"},
	{OpTextResponse, "Text Response"},
	{OpDataIn, "SCSI Data-In"},
	{OpLogoutResponse, "Logout Response"},
	{OpR2T, "Ready To Transfer"},
	{OpAsyncMessage, "Asynchronous Message"},
	{OpReject, "Reject"},
}
