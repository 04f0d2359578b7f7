package iscsi

// keyAuthMethod chooses the authentication (RFC 7143 12.1).
const keyAuthMethod = "AuthMethod"

// Bounds that several keys share (RFC 7143 13).
const (
	minSegment = 512
	maxSegment = 1<<24 - 1
	maxUint16  = 1<<16 - 1
	maxSeconds = 3600
)

// keys are the text keys of a login (RFC 7143 12.1, 13), in the order in which they are sent. All
// of them are sent, also those that equal the default: some targets fail without.
var keys = [...]key{
	{
		name: "InitiatorName", section: "13.5", discovery: true, sender: initiator, stages: anyStage, fn: declare,
		offer: func(c *LoginConfig) string { return c.InitiatorName },
	},
	{
		name: "TargetName", section: "13.4", sender: initiator, stages: anyStage, fn: declare,
		offer: func(c *LoginConfig) string { return c.TargetName },
	},
	{
		name: "SessionType", section: "13.21", discovery: true, sender: initiator, stages: anyStage, fn: declare,
		offer: func(c *LoginConfig) string { return c.sessionType() },
	},
	{
		name: "InitiatorAlias", section: "13.7", discovery: true, sender: initiator, stages: anyStage, fn: declare,
	},
	{
		name: "TargetAlias", section: "13.6", discovery: true, sender: target, stages: anyStage, fn: declare,
		set: func(r *Result, v value) { r.TargetAlias = v.text },
	},
	{
		name: "TargetAddress", section: "13.8", discovery: true, sender: target, stages: anyStage, fn: declare,
	},
	{
		name: "TargetPortalGroupTag", section: "13.9", discovery: true, sender: target, stages: anyStage, fn: declare, hi: maxUint16,
		set: func(r *Result, v value) { r.TPGT, r.HasTPGT = uint16(v.num), true },
	},
	{
		name: keyAuthMethod, section: "12.1", discovery: true, sender: both, stages: security, fn: list, def: valueNone,
		offer: func(c *LoginConfig) string { return c.authMethod() },
	},
	{name: keyCHAPA, section: "12.1.3", discovery: true, sender: both, stages: security, fn: proof},
	{name: keyCHAPI, section: "12.1.3", discovery: true, sender: both, stages: security, fn: proof},
	{name: keyCHAPC, section: "12.1.3", discovery: true, sender: both, stages: security, fn: proof},
	{name: keyCHAPN, section: "12.1.3", discovery: true, sender: both, stages: security, fn: proof},
	{name: keyCHAPR, section: "12.1.3", discovery: true, sender: both, stages: security, fn: proof},
	{
		name: "HeaderDigest", section: sectionDigest, discovery: true, sender: both, stages: operational, fn: list, def: valueNone,
		offer: func(c *LoginConfig) string { return c.Offer.HeaderDigest.list() },
		set:   func(r *Result, v value) { r.Params.HeaderDigest = v.text == digestCRC32C },
	},
	{
		name: "DataDigest", section: sectionDigest, discovery: true, sender: both, stages: operational, fn: list, def: valueNone,
		offer: func(c *LoginConfig) string { return c.Offer.DataDigest.list() },
		set:   func(r *Result, v value) { r.Params.DataDigest = v.text == digestCRC32C },
	},
	{
		name: "MaxConnections", section: "13.2", sender: both, stages: operational, fn: minimum, def: "1", lo: 1, hi: maxUint16,
		offer: func(c *LoginConfig) string { return number(c.Offer.MaxConnections) },
		set:   func(r *Result, v value) { r.Params.MaxConnections = v.num },
	},
	{
		name: "InitialR2T", section: "13.10", sender: both, stages: operational, fn: or, def: valueYes,
		offer: func(c *LoginConfig) string { return yesNo(c.Offer.InitialR2T) },
		set:   func(r *Result, v value) { r.Params.InitialR2T = v.yes },
	},
	{
		name: "ImmediateData", section: "13.11", sender: both, stages: operational, fn: and, def: valueYes,
		offer: func(c *LoginConfig) string { return yesNo(c.Offer.ImmediateData) },
		set:   func(r *Result, v value) { r.Params.ImmediateData = v.yes },
	},
	{
		name: "MaxRecvDataSegmentLength", section: "13.12", discovery: true, sender: both, stages: operational, fn: declare, def: "8192", lo: minSegment, hi: maxSegment,
		offer: func(c *LoginConfig) string { return number(c.Offer.MaxRecvDataSegmentLength) },
		set:   func(r *Result, v value) { r.Params.MaxXmitDataSegmentLength = v.num },
	},
	{
		name: "MaxBurstLength", section: "13.13", sender: both, stages: operational, fn: minimum, def: "262144", lo: minSegment, hi: maxSegment,
		offer: func(c *LoginConfig) string { return number(c.Offer.MaxBurstLength) },
		set:   func(r *Result, v value) { r.Params.MaxBurstLength = v.num },
	},
	{
		name: "FirstBurstLength", section: "13.14", sender: both, stages: operational, fn: minimum, def: "65536", lo: minSegment, hi: maxSegment,
		offer: func(c *LoginConfig) string { return number(c.Offer.FirstBurstLength) },
		set:   func(r *Result, v value) { r.Params.FirstBurstLength = v.num },
	},
	{
		name: "DefaultTime2Wait", section: "13.15", discovery: true, sender: both, stages: operational, fn: maximum, def: "2", hi: maxSeconds,
		offer: func(c *LoginConfig) string { return number(c.Offer.DefaultTime2Wait) },
		set:   func(r *Result, v value) { r.Params.DefaultTime2Wait = v.num },
	},
	{
		name: "DefaultTime2Retain", section: "13.16", discovery: true, sender: both, stages: operational, fn: minimum, def: "20", hi: maxSeconds,
		offer: func(c *LoginConfig) string { return number(c.Offer.DefaultTime2Retain) },
		set:   func(r *Result, v value) { r.Params.DefaultTime2Retain = v.num },
	},
	{
		name: "MaxOutstandingR2T", section: "13.17", sender: both, stages: operational, fn: minimum, def: "1", lo: 1, hi: maxUint16,
		offer: func(c *LoginConfig) string { return number(c.Offer.MaxOutstandingR2T) },
		set:   func(r *Result, v value) { r.Params.MaxOutstandingR2T = v.num },
	},
	{
		name: "DataPDUInOrder", section: "13.18", sender: both, stages: operational, fn: or, def: valueYes,
		offer: func(c *LoginConfig) string { return yesNo(c.Offer.DataPDUInOrder) },
		set:   func(r *Result, v value) { r.Params.DataPDUInOrder = v.yes },
	},
	{
		name: "DataSequenceInOrder", section: "13.19", sender: both, stages: operational, fn: or, def: valueYes,
		offer: func(c *LoginConfig) string { return yesNo(c.Offer.DataSequenceInOrder) },
		set:   func(r *Result, v value) { r.Params.DataSequenceInOrder = v.yes },
	},
	{
		name: "ErrorRecoveryLevel", section: "13.20", discovery: true, sender: both, stages: operational, fn: minimum, def: "0", hi: 2,
		offer: func(c *LoginConfig) string { return number(c.Offer.ErrorRecoveryLevel) },
		set:   func(r *Result, v value) { r.Params.ErrorRecoveryLevel = v.num },
	},

	// Never offered, but answered.
	{name: "TaskReporting", section: "13.23", sender: both, stages: operational, fn: list, def: "RFC3720"},
	{name: "iSCSIProtocolLevel", section: "13.24", discovery: true, sender: both, stages: operational, fn: minimum, def: "1", hi: 31},
	{name: "IFMarker", section: "13.25", sender: both, stages: operational, fn: and, def: valueNo},
	{name: "OFMarker", section: "13.25", sender: both, stages: operational, fn: and, def: valueNo},
	{name: "IFMarkInt", section: "13.25", sender: both, stages: operational, fn: obsolete},
	{name: "OFMarkInt", section: "13.25", sender: both, stages: operational, fn: obsolete},
}
