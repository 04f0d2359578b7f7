package iscsi

// Offer is what the initiator offers in the operational stage (RFC 7143 13). The zero Offer means
// DefaultOffer.
type Offer struct {
	// HeaderDigest and DataDigest offer checksums (13.1).
	HeaderDigest, DataDigest DigestPolicy
	// MaxConnections is 1..65535; this package logs in one connection (13.2).
	MaxConnections uint32
	// InitialR2T=No offers to send the first burst unsolicited (13.10).
	InitialR2T bool
	// ImmediateData=Yes offers to send data inside the command PDU (13.11).
	ImmediateData bool
	// MaxRecvDataSegmentLength is how many bytes are accepted in one PDU in full feature phase,
	// 512..16777215 (13.12).
	MaxRecvDataSegmentLength uint32
	// MaxBurstLength and FirstBurstLength are in bytes, 512..16777215, the first burst no
	// longer than a burst (13.13, 13.14).
	MaxBurstLength, FirstBurstLength uint32
	// DefaultTime2Wait and DefaultTime2Retain are in seconds, 0..3600 (13.15, 13.16).
	DefaultTime2Wait, DefaultTime2Retain uint32
	// MaxOutstandingR2T is 1..65535 per task (13.17).
	MaxOutstandingR2T uint32
	// DataPDUInOrder and DataSequenceInOrder: Linux needs both Yes (13.18, 13.19).
	DataPDUInOrder, DataSequenceInOrder bool
	// ErrorRecoveryLevel is 0..2; Linux has 0 only (13.20).
	ErrorRecoveryLevel uint32
}

// DefaultOffer offers the values with the highest throughput of the Linux initiator: large bursts,
// the first of them unsolicited. Time2Retain is 0 because no state is retained for a connection at
// recovery level 0.
func DefaultOffer() Offer {
	return Offer{
		MaxConnections: 1,
		InitialR2T:     false,
		ImmediateData:  true,
		// Some targets send Data-In of 64 KiB regardless of the declared value, so it must
		// not be less.
		MaxRecvDataSegmentLength: 262144,
		MaxBurstLength:           16776192,
		FirstBurstLength:         262144,
		DefaultTime2Wait:         2,
		DefaultTime2Retain:       0,
		MaxOutstandingR2T:        1,
		DataPDUInOrder:           true,
		DataSequenceInOrder:      true,
		ErrorRecoveryLevel:       0,
	}
}

// Params are the parameters of the full feature phase: the result of the negotiation, and the RFC's
// defaults where the target did not answer (RFC 7143 13).
type Params struct {
	// HeaderDigest and DataDigest are true for CRC32C, false for None.
	HeaderDigest, DataDigest bool
	MaxConnections           uint32
	InitialR2T               bool
	ImmediateData            bool
	// MaxRecvDataSegmentLength is the initiator's, MaxXmitDataSegmentLength is the one that the
	// target declared; both in bytes.
	MaxRecvDataSegmentLength, MaxXmitDataSegmentLength uint32
	// MaxBurstLength and FirstBurstLength are in bytes; FirstBurstLength is never the larger
	// one.
	MaxBurstLength, FirstBurstLength uint32
	// DefaultTime2Wait and DefaultTime2Retain are in seconds.
	DefaultTime2Wait, DefaultTime2Retain uint32
	MaxOutstandingR2T                    uint32
	DataPDUInOrder, DataSequenceInOrder  bool
	ErrorRecoveryLevel                   uint32
}
