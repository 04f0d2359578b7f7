package session

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Timeouts of SCSI's error handling in seconds: the values of open-iscsi's defaults.
const (
	abortTimeout       = 15
	luResetTimeout     = 30
	targetResetTimeout = 30
)

// pathTimeout is each of them for a path of a map, which answers pings and no commands: another
// path takes them after the disk's own time-out and three of these.
const pathTimeout = 5

// errorTimeouts returns the time-outs of SCSI's error handling.
func (s *Session) errorTimeouts() []kernel.Setting {
	abort, luReset, targetReset := uint32(abortTimeout), uint32(luResetTimeout), uint32(targetResetTimeout)
	if s.IsPath() {
		abort, luReset, targetReset = pathTimeout, pathTimeout, pathTimeout
	}
	return []kernel.Setting{
		{Param: kernel.AbortTimeout, Value: number(abort)},
		{Param: kernel.LUResetTimeout, Value: number(luReset)},
		{Param: kernel.TargetResetTimeout, Value: number(targetReset)},
	}
}

// settingsBeforeLogin returns the parameters that do not depend on the negotiation: all that iscsid
// reads at a take-over. It ignores a session whose target name or TPGT it cannot read.
func (s *Session) settingsBeforeLogin(e loginPath) []kernel.Setting {
	return slices.Concat([]kernel.Setting{
		{Param: kernel.TargetName, Value: s.Target},
		{Param: kernel.PersistentAddress, Value: e.start.Addr().String()},
		{Param: kernel.PersistentPort, Value: number(uint32(e.start.Port()))},
		{Param: kernel.FastAbort, Value: flag(true)},
	}, s.errorTimeouts(), []kernel.Setting{
		{Param: kernel.InterfaceName, Value: cmp.Or(s.nic, "default")},
		{Param: kernel.InitiatorName, Value: s.Initiator},
	}, s.pingSettings(), s.credentials())
}

// credentials returns the user and secrets for iscsid, whose logins would fail without them. Only
// root can read them.
func (s *Session) credentials() []kernel.Setting {
	if s.chap == nil || s.secretHasNUL() {
		return nil
	}
	out := []kernel.Setting{
		{Param: kernel.Username, Value: s.chap.User},
		{Param: kernel.Password, Secret: s.chap.Secret},
	}
	if s.chap.Mutual() {
		out = append(out, kernel.Setting{Param: kernel.PasswordIn, Secret: s.chap.TargetSecret})
	}
	if s.chap.TargetUser != "" {
		out = append(out, kernel.Setting{Param: kernel.UsernameIn, Value: s.chap.TargetUser})
	}
	return out
}

// secretHasNUL reports whether the kernel, where a value ends at the first zero byte, would
// truncate a secret.
func (s *Session) secretHasNUL() bool {
	return bytes.IndexByte(s.chap.Secret.Bytes(), 0) >= 0 || bytes.IndexByte(s.chap.TargetSecret.Bytes(), 0) >= 0
}

// settingsAfterLogin returns the negotiated parameters.
func (s *Session) settingsAfterLogin(r iscsi.Result) []kernel.Setting {
	p := r.Params
	return []kernel.Setting{
		{Param: kernel.TPGT, Value: number(uint32(s.TPGT))},
		{Param: kernel.MaxRecvDataSegmentLength, Value: number(p.MaxRecvDataSegmentLength)},
		{Param: kernel.MaxXmitDataSegmentLength, Value: number(p.MaxXmitDataSegmentLength)},
		{Param: kernel.HeaderDigest, Value: flag(p.HeaderDigest)},
		{Param: kernel.DataDigest, Value: flag(p.DataDigest)},
		{Param: kernel.InitialR2T, Value: flag(p.InitialR2T)},
		{Param: kernel.MaxOutstandingR2T, Value: number(p.MaxOutstandingR2T)},
		{Param: kernel.ImmediateData, Value: flag(p.ImmediateData)},
		{Param: kernel.FirstBurstLength, Value: number(p.FirstBurstLength)},
		{Param: kernel.MaxBurstLength, Value: number(p.MaxBurstLength)},
		{Param: kernel.DataPDUInOrder, Value: flag(p.DataPDUInOrder)},
		{Param: kernel.DataSequenceInOrder, Value: flag(p.DataSequenceInOrder)},
		{Param: kernel.ErrorRecoveryLevel, Value: number(p.ErrorRecoveryLevel)},
		{Param: kernel.ExpStatSN, Value: number(r.ExpStatSN)},
	}
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
