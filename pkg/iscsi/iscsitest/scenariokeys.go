package iscsitest

import "github.com/iscsiroot/iscsiroot/pkg/iscsi"

// keysOnce: a key is negotiated once (RFC 7143 6.2).
func keysOnce() []Scenario {
	const row = "UNH: negotiate once"
	return []Scenario{
		{Name: "twice in one text", Row: row, Script: Script{Text(append(Agreement(), "MaxBurstLength=1048576")...)}, Want: "protocol 6.2"},
		{Name: "twice in two texts", Row: row, Script: Script{Stay("InitialR2T=No"), Stay("InitialR2T=No")}, Want: "protocol 6.2"},
		{Name: "digest again in the next text", Row: row, Script: Script{Stay(Agreement()...), Text("HeaderDigest=None")}, Want: "protocol 6.2"},
		{Name: "method again in the next stage", Row: row, Security: true, Script: Script{Text("AuthMethod=None"), Agree("AuthMethod=None")}, Want: "protocol 6.2"},
		{Name: "portal group in both stages", Row: row, Security: true, Script: Script{Text("AuthMethod=None", "TargetPortalGroupTag=1"), Agree()}, Want: "ok"},
		{Name: "another portal group in the second stage", Row: row, Security: true, Script: Script{Text("AuthMethod=None", "TargetPortalGroupTag=2"), Agree()}, Want: "protocol 6.2"},
		{Name: "address twice", Row: row, Script: Script{Text(append(Agreement("TargetAddress=192.0.2.1"), "TargetAddress=192.0.2.2")...)}, Want: "ok"},
		{Name: "all answers late", Row: row, Script: Script{Stay(), Stay(), Agree()}, Want: "ok"},
		{Name: "no answers", Row: row, Script: Script{Text(Agreement("MaxBurstLength")...)}, Want: "ok", Warning: "did not answer MaxBurstLength"},
	}
}

// numbers: bursts and the other numbers, and booleans (RFC 7143 13).
func numbers() []Scenario {
	one := func(row, pair, want string) Scenario {
		return Scenario{Name: pair, Row: row, Script: Script{Agree(pair)}, Want: want}
	}
	const bursts, values, booleans = "UNH: bursts", "UNH: invalid values", "UNH: booleans"
	return []Scenario{
		{Name: "MaxBurstLength=512", Row: bursts, Script: Script{Agree("MaxBurstLength=512")}, Want: "ok", Warning: "FirstBurstLength 65536 cut to MaxBurstLength 512"},
		one(bursts, "MaxBurstLength=511", "protocol 13.13"),
		one(bursts, "MaxBurstLength=16777216", "protocol 13.13"),
		one(bursts, "MaxBurstLength=16777215", "protocol 13.13"),
		one(bursts, "FirstBurstLength=512", "ok"),
		one(bursts, "FirstBurstLength=0x200", "ok"),
		one(bursts, "FirstBurstLength=511", "protocol 13.14"),
		one(bursts, "FirstBurstLength=16777215", "protocol 13.14"),
		one(bursts, "MaxRecvDataSegmentLength=512", "ok"),
		one(bursts, "MaxRecvDataSegmentLength=511", "protocol 13.12"),
		one(bursts, "MaxRecvDataSegmentLength=16777215", "ok"),
		one(bursts, "MaxRecvDataSegmentLength=16777216", "protocol 13.12"),
		one(bursts, "MaxOutstandingR2T=0", "protocol 13.17"),
		one(bursts, "MaxOutstandingR2T=2", "protocol 13.17"),
		one(values, "MaxConnections=0", "protocol 13.2"),
		one(values, "MaxConnections=2", "protocol 13.2"),
		one(values, "DefaultTime2Wait=3600", "ok"),
		one(values, "DefaultTime2Wait=3601", "protocol 13.15"),
		one(values, "DefaultTime2Wait=1", "protocol 13.15"),
		one(values, "DefaultTime2Retain=1", "protocol 13.16"),
		one(values, "ErrorRecoveryLevel=1", "protocol 13.20"),
		one(values, "ErrorRecoveryLevel=3", "protocol 13.20"),
		one(values, "MaxBurstLength=", "protocol 13.13"),
		one(values, "MaxBurstLength=-1", "protocol 13.13"),
		one(values, "MaxBurstLength=0x", "protocol 13.13"),
		one(values, "MaxBurstLength=1e6", "protocol 13.13"),
		one(values, "MaxBurstLength=065536", "protocol 13.13"),
		one(values, "MaxBurstLength=18446744073709551616", "protocol 13.13"),
		one(values, "TargetPortalGroupTag=65536", "protocol 13.9"),
		one(values, "TargetPortalGroupTag=none", "protocol 13.9"),
		one(booleans, "ImmediateData=No", "ok"),
		one(booleans, "InitialR2T=Yes", "ok"),
		one(booleans, "InitialR2T=yes", "protocol 13.10"),
		one(booleans, "ImmediateData=1", "protocol 13.11"),
		one(booleans, "DataPDUInOrder=No", "protocol 13.18"),
		one(booleans, "DataSequenceInOrder=No", "protocol 13.19"),
		one(booleans, "DataSequenceInOrder", "ok"),
	}
}

// lists: digests and the session type.
func lists() []Scenario {
	const row = "UNH: digests"
	digest := func(name string, policy iscsi.DigestPolicy, want string, override ...string) Scenario {
		return Scenario{Name: "digest " + name, Row: row, Digest: policy, Script: Script{Agree(override...)}, Want: want}
	}
	both := []string{"HeaderDigest=CRC32C", "DataDigest=CRC32C"}
	return []Scenario{
		digest("preferred and given", iscsi.PreferDigest, "ok", both...),
		digest("preferred and declined", iscsi.PreferDigest, "ok"),
		digest("accepted and given", iscsi.AcceptDigest, "ok", both...),
		digest("accepted and declined", iscsi.AcceptDigest, "ok"),
		digest("required and given", iscsi.RequireDigest, "ok", both...),
		digest("required and refused", iscsi.RequireDigest, "protocol 13.1"),
		digest("required and rejected", iscsi.RequireDigest, "protocol 13.1", "HeaderDigest=Reject", "DataDigest=CRC32C"),
		digest("required and not answered", iscsi.RequireDigest, "protocol 6.2", "HeaderDigest=CRC32C", "DataDigest"),
		digest("not asked for", iscsi.NoDigest, "protocol 13.1", both...),
		digest("list", iscsi.PreferDigest, "protocol 13.1", "HeaderDigest=CRC32C,None"),
		digest("unknown", iscsi.PreferDigest, "protocol 13.1", "HeaderDigest=CRC64"),
		digest("in small letters", iscsi.PreferDigest, "protocol 13.1", "HeaderDigest=crc32c"),
		digest("empty", iscsi.PreferDigest, "protocol 13.1", "HeaderDigest="),
		{
			Name: "digest accepted and rejected", Row: row, Digest: iscsi.AcceptDigest, Script: Script{Agree("HeaderDigest=Reject", "DataDigest=NotUnderstood")},
			Want: "ok", Warning: "target answered HeaderDigest=Reject: the default None holds\ntarget answered DataDigest=NotUnderstood: the default None holds",
		},
		{Name: "session type", Row: "UNH: invalid keys", Script: Script{Agree("SessionType=Normal")}, Want: "protocol 13.21"},
		{Name: "marker", Row: "UNH: invalid keys", Script: Script{Stay(Agreement("OFMarker=Yes", "IFMarkInt=1~2")...), Text()}, Want: "ok"},
	}
}

// statuses: every code of RFC 7143 11.13.5 and some undefined ones.
func statuses() []Scenario {
	const redirect = "2b: Redirect 0101/0102"
	to := "TargetAddress=192.0.2.9:3261,2"
	all := []Scenario{
		{Name: "moved for now", Row: redirect, Script: Script{Status(0x0101, to)}, Want: "status 0101"},
		{Name: "moved for good", Row: redirect, Script: Script{Status(0x0102, to)}, Want: "status 0102"},
		{Name: "moved to IPv6", Row: redirect, Script: Script{Status(0x0102, "TargetAddress=[2001:db8::9]")}, Want: "status 0102"},
		{Name: "moved after CHAP", Row: redirect, Mutual: true, Script: append(wholeLogin()[:3:3], Status(0x0101, to)), Want: "status 0101"},
		{Name: "moved without an address", Row: redirect, Script: Script{Status(0x0101)}, Want: "protocol 11.13.5"},
		{Name: "moved to a bad address", Row: redirect, Script: Script{Status(0x0101, "TargetAddress=a b")}, Want: "protocol 13.8"},
		{Name: "moved to port 0", Row: redirect, Script: Script{Status(0x0101, "TargetAddress=192.0.2.9:0")}, Want: "protocol 13.8"},
		{Name: "moved with bad text", Row: redirect, Script: Script{Login(func(_ *iscsi.LoginRequest, r *iscsi.LoginResponse) {
			r.StatusClass, r.StatusDetail, r.Data = 1, 1, []byte("TargetAddress")
		})}, Want: "protocol 6.1"},
	}
	rows := []struct {
		row   string
		codes []iscsi.Status
	}{
		{"2b: 0201/0202 auth/ACL", []iscsi.Status{0x0201, 0x0202}},
		{"2b: 0203 not found, 0204 removed, 0207", []iscsi.Status{0x0203, 0x0204, 0x0207}},
		{"2b: 0205/0208/0209/020b", []iscsi.Status{0x0205, 0x0208, 0x0209, 0x020b}},
		{"2b: 0206 too many conns", []iscsi.Status{0x0206}},
		{"2b: 020a session does not exist", []iscsi.Status{0x020a}},
		{"2b: 0300/0301/0302", []iscsi.Status{0x0300, 0x0301, 0x0302}},
		{"UNH: invalid PDU", []iscsi.Status{0x0200, 0x02ff, 0x03ff, 0x0400, 0xff00}},
	}
	for _, r := range rows {
		for _, code := range r.codes {
			want := Outcome(&iscsi.StatusError{Class: uint8(code >> 8), Detail: uint8(code)})
			all = append(all, Scenario{Name: want, Row: r.row, Script: Script{Status(code)}, Want: want})
		}
	}
	return all
}
