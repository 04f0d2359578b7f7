package iscsi

import "context"

// Limits of one SendTargets answer, not of the RFC: a portal with a thousand targets of a few
// portals each stays well below.
const (
	maxDiscoveryText  = 1 << 20
	maxDiscoveryPDUs  = 1024
	maxDiscoveryPairs = 32768
)

// DiscoveryConfig is one discovery session.
type DiscoveryConfig struct {
	// InitiatorName is an iSCSI name of 1 to 223 bytes.
	InitiatorName string
	// ISID of the discovery session; another than those of normal sessions, so that it
	// reinstates none (RFC 7143 11.12.5).
	ISID [6]byte
	// Target asks for the addresses of this one; empty for all targets.
	Target string
	// Portal is the one connected to, which is the address of a target that is given without
	// any (RFC 7143 appendix C).
	Portal TargetAddress
	// SecurityStage and CHAP are those of LoginConfig.
	SecurityStage bool
	CHAP          *CHAP
}

// DiscoveredTarget is a target in the answer of a portal.
type DiscoveredTarget struct {
	Name string
	// Addresses of its portals, at least one, in the order of the answer.
	Addresses []TargetAddress
	// Warnings name invalid addresses, which were left out.
	Warnings []string
}

// Discover logs in to a discovery session, asks for targets with SendTargets (RFC 7143 appendix C)
// and logs out. An answer without targets is not an error. Its errors are those of Login, and none
// names the portal. The connection has to be closed afterwards in any case.
func Discover(ctx context.Context, p Pipe, cfg DiscoveryConfig) ([]DiscoveredTarget, error) {
	offer := DefaultOffer()
	offer.MaxRecvDataSegmentLength = LoginDataLen // what pipes take
	const cmdSN = 1
	res, err := login(ctx, p, LoginConfig{
		InitiatorName: cfg.InitiatorName,
		ISID:          cfg.ISID,
		CmdSN:         cmdSN,
		SecurityStage: cfg.SecurityStage,
		CHAP:          cfg.CHAP,
		Offer:         offer,
		discovery:     true,
	})
	if err != nil {
		return nil, err
	}
	f := &fullFeature{pipe: p, cmdSN: cmdSN, expStatSN: res.ExpStatSN}
	what := "All"
	if cfg.Target != "" {
		what = cfg.Target
	}
	text, err := f.text(ctx, AppendText(nil, []Pair{{"SendTargets", what}}))
	if err != nil {
		return nil, err
	}
	targets, err := parseTargets(text, cfg.Portal)
	if err != nil {
		return nil, err
	}
	// The answer is complete, also if the logout fails.
	_, _ = f.logout(ctx, LogoutRequest{Reason: LogoutSession})
	return targets, nil
}

// parseTargets reads the answer to SendTargets: the addresses of a target follow its name (RFC 7143
// appendix C).
func parseTargets(text []byte, portal TargetAddress) ([]DiscoveredTarget, error) {
	pairs, err := parseText(text, maxDiscoveryText, maxDiscoveryPairs)
	if err != nil {
		return nil, err
	}
	var targets []DiscoveredTarget
	index := map[string]int{}
	current := -1
	for _, pair := range pairs {
		switch pair.Key {
		case "TargetName":
			if err := checkName("TargetName", pair.Value); err != nil {
				return nil, protocolErrorf("13.4", "%v", err)
			}
			i, known := index[pair.Value]
			if !known {
				i = len(targets)
				index[pair.Value], targets = i, append(targets, DiscoveredTarget{Name: pair.Value})
			}
			current = i
		case "TargetAddress":
			if current < 0 {
				return nil, protocolErrorf("C", "TargetAddress before any TargetName")
			}
			targets[current].add(pair.Value)
		case "SendTargets":
			if reserved(pair.Value) {
				return nil, protocolErrorf("C", "SendTargets=%s", pair.Value)
			}
		}
	}
	for i := range targets {
		if len(targets[i].Addresses) == 0 {
			targets[i].Addresses = []TargetAddress{portal}
		}
	}
	return targets, nil
}

func (t *DiscoveredTarget) add(address string) {
	a, err := ParseTargetAddress(address)
	if err != nil {
		t.Warnings = append(t.Warnings, err.Error())
		return
	}
	t.Addresses = append(t.Addresses, a)
}
