package iscsitest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// The values of a Target; the numbers are similar to those of tgtd and LIO.
var (
	minimums = map[string]int{
		"MaxConnections": 1, "MaxBurstLength": 1 << 20, "FirstBurstLength": 1 << 18, "DefaultTime2Retain": 20,
		"MaxOutstandingR2T": 1, "ErrorRecoveryLevel": 2, "iSCSIProtocolLevel": 1,
	}
	maximums = map[string]int{"DefaultTime2Wait": 2}
	ands     = []string{"ImmediateData", "IFMarker", "OFMarker"}
	ors      = []string{"InitialR2T", "DataPDUInOrder", "DataSequenceInOrder"} // the target answers No
	digests  = []string{"HeaderDigest", "DataDigest"}
	declared = []string{"InitiatorName", "TargetName", "SessionType", "InitiatorAlias", "MaxRecvDataSegmentLength"}
	// irrelevant keys have no meaning in a discovery session (RFC 7143 13).
	irrelevant = []string{
		"MaxConnections", "InitialR2T", "ImmediateData", "MaxBurstLength", "FirstBurstLength",
		"MaxOutstandingR2T", "DataPDUInOrder", "DataSequenceInOrder",
	}
)

// negotiate answers the keys of the operational stage (RFC 7143 13).
func (t *Target) negotiate(pairs []iscsi.Pair, discovery bool) ([]string, error) {
	var say []string
	for _, p := range pairs {
		if discovery && slices.Contains(irrelevant, p.Key) {
			return nil, fmt.Errorf("%s in a discovery session", p.Key)
		}
		value, err := t.value(p)
		if err != nil {
			return nil, fmt.Errorf("%s=%s: %w", p.Key, p.Value, err)
		}
		if value != "" {
			say = append(say, p.Key+"="+value)
		}
		if p.Key == "MaxRecvDataSegmentLength" {
			say = append(say, "MaxRecvDataSegmentLength=262144")
		}
	}
	return say, nil
}

// value is the answer to one key, empty if it needs none.
func (t *Target) value(p iscsi.Pair) (string, error) {
	if slices.Contains(declared, p.Key) {
		return "", nil
	}
	if slices.Contains(digests, p.Key) {
		for item := range strings.SplitSeq(p.Value, ",") {
			if t.accepts(p.Key, item) {
				return item, nil
			}
		}
		return "Reject", nil
	}
	least, isMin := minimums[p.Key]
	most, isMax := maximums[p.Key]
	isAnd, isOr := slices.Contains(ands, p.Key), slices.Contains(ors, p.Key)
	switch {
	case isMin || isMax:
		n, err := strconv.Atoi(p.Value)
		if isMin {
			return strconv.Itoa(min(n, least)), err
		}
		return strconv.Itoa(max(n, most)), err
	case (isAnd || isOr) && p.Value != "Yes" && p.Value != "No":
		return "", fmt.Errorf("neither Yes nor No")
	case isAnd || isOr:
		return p.Value, nil
	}
	return "NotUnderstood", nil
}

// accepts reports whether one digest of an offer is accepted.
func (t *Target) accepts(key, digest string) bool {
	if slices.Contains(t.RequireCRC32C, key) {
		return digest == "CRC32C"
	}
	return digest == "None" || digest == t.Digest
}

// digestStatus returns the status with which an offer of digests is refused; 0: it is not.
func (t *Target) digestStatus(pairs []iscsi.Pair) iscsi.Status {
	for _, p := range pairs {
		if !slices.Contains(digests, p.Key) {
			continue
		}
		list := strings.Split(p.Value, ",")
		if t.NoDigestLists != 0 && len(list) > 1 {
			return t.NoDigestLists
		}
		if slices.Contains(t.RequireCRC32C, p.Key) && !slices.Contains(list, "CRC32C") {
			return iscsi.StatusInitiatorError
		}
	}
	return 0
}
