package iscsi

import (
	"errors"
	"fmt"
)

// negotiation runs the table of keys over one login (RFC 7143 6.2). There is one per login, because
// a key may be negotiated only once in it.
type negotiation struct {
	cfg *LoginConfig
	res *Result
	// offered has the values that were sent, by key.
	offered map[string]value
	// seen has the values that the target sent, by key.
	seen map[string]string
	// replies are the pending answers to the target's offers.
	replies []Pair
}

// newNegotiation verifies the offer and starts from the RFC's defaults.
func newNegotiation(cfg *LoginConfig, res *Result) (*negotiation, error) {
	n := &negotiation{cfg: cfg, res: res, offered: map[string]value{}, seen: map[string]string{}}
	var errs []error
	for i := range keys {
		k := &keys[i]
		if k.def != "" && k.set != nil {
			n.setDefault(k)
		}
		if !n.sends(k) {
			continue
		}
		if _, err := k.parse(k.offer(cfg)); err != nil {
			errs = append(errs, fmt.Errorf("%s=%s: %w", k.name, quote(k.offer(cfg)), err))
		}
	}
	for _, d := range []DigestPolicy{cfg.Offer.HeaderDigest, cfg.Offer.DataDigest} {
		if d.list() == "" {
			errs = append(errs, fmt.Errorf("%v: no such policy", d))
		}
	}
	if cfg.Offer.FirstBurstLength > cfg.Offer.MaxBurstLength {
		errs = append(errs, fmt.Errorf("FirstBurstLength=%d: more than MaxBurstLength=%d", cfg.Offer.FirstBurstLength, cfg.Offer.MaxBurstLength))
	}
	res.Params.MaxRecvDataSegmentLength = cfg.Offer.MaxRecvDataSegmentLength
	return n, errors.Join(errs...)
}

// setDefault gives a key its default, which the table holds in legal form.
func (n *negotiation) setDefault(k *key) {
	if v, err := k.parse(k.def); err == nil && k.set != nil {
		k.set(n.res, v)
	}
}

// pending returns the pairs to send in a stage: the pending answers, and each of the initiator's
// keys once.
func (n *negotiation) pending(s Stage) []Pair {
	pairs := n.replies
	n.replies = nil
	for i := range keys {
		k := &keys[i]
		if _, sent := n.offered[k.name]; sent || !n.sends(k) || !k.stages.has(s) {
			continue
		}
		text := k.offer(n.cfg)
		n.offered[k.name], _ = k.parse(text) // verified in newNegotiation
		pairs = append(pairs, Pair{k.name, text})
	}
	return pairs
}

// accept processes the pairs that the target sent in a stage.
func (n *negotiation) accept(pairs []Pair, s Stage) error {
	for _, p := range pairs {
		if value, seen := n.seen[p.Key]; seen {
			if mayRepeat(p, value) {
				continue
			}
			return protocolErrorf("6.2", "key %s a second time in one login", p.Key)
		}
		n.seen[p.Key] = p.Value
		if err := n.acceptPair(p, s); err != nil {
			return err
		}
	}
	return nil
}

// mayRepeat reports whether the target may send a key again: TargetAddress with any value (RFC 7143
// 13.8), and a declaration with the same value. Some targets name their portal group in both
// stages.
func mayRepeat(p Pair, before string) bool {
	k := findKey(p.Key)
	return k != nil && k.fn == declare && (p.Value == before || k.name == "TargetAddress")
}

// sends reports whether the initiator sends a key in this session.
func (n *negotiation) sends(k *key) bool {
	return k.offer != nil && (k.discovery || !n.cfg.discovery)
}

func (n *negotiation) acceptPair(p Pair, s Stage) error {
	k := findKey(p.Key)
	switch {
	case k == nil && reserved(p.Value):
		return protocolErrorf("6.2", "%s=%s, but we never sent that key", p.Key, p.Value)
	case k == nil:
		n.replies = append(n.replies, Pair{p.Key, valueNotUnderstood})
		return nil
	case k.sender&target == 0:
		return protocolErrorf(k.section, "%s=%s, a key of the initiator only", p.Key, quote(p.Value))
	case !k.stages.has(s):
		return protocolErrorf("6.3", "%s in the %v", p.Key, s)
	case k.fn == proof:
		return authErrorf(AuthOrder, "%s, but %s=%s was offered", p.Key, keyAuthMethod, n.cfg.authMethod())
	case n.cfg.discovery && !k.discovery:
		n.replies = append(n.replies, Pair{k.name, valueIrrelevant})
		return nil
	}
	offer, offered := n.offered[k.name]
	if offered && reserved(p.Value) {
		return n.declined(k, p.Value)
	}
	if k.fn == obsolete {
		n.replies = append(n.replies, Pair{k.name, valueReject})
		return nil
	}
	v, err := k.parse(p.Value)
	switch {
	case err != nil:
		return protocolErrorf(k.section, "%s=%s: %v", k.name, quote(p.Value), err)
	case k.fn == declare:
		n.set(k, v)
		return nil
	case offered:
		return n.answer(k, offer, v)
	}
	n.respond(k, v)
	return nil
}

// answer processes the target's answer to an offer.
func (n *negotiation) answer(k *key, offer, v value) error {
	if !k.legal(offer, v) {
		return n.cfg.Offer.digestError(k, protocolErrorf(k.section, "%s=%s is not a legal answer to %s", k.name, quote(v.text), quote(k.offer(n.cfg))))
	}
	n.set(k, v)
	return nil
}

// respond answers the target's offer of a key that was not offered.
func (n *negotiation) respond(k *key, offer value) {
	want, _ := k.parse(k.def) // a test verifies the table
	result := k.combine(offer, want)
	if v, err := k.parse(result); err == nil && result != valueReject {
		n.set(k, v)
	}
	if !k.settled(offer) {
		n.replies = append(n.replies, Pair{k.name, result})
	}
}

// declined processes Reject, Irrelevant or NotUnderstood as an answer: the default holds (RFC 7143
// 6.2), if it is acceptable.
func (n *negotiation) declined(k *key, answer string) error {
	if !n.acceptsDefault(k) {
		return n.cfg.Offer.digestError(k, protocolErrorf(k.section, "%s=%s, but we need %s", k.name, answer, quote(k.offer(n.cfg))))
	}
	if answer != valueIrrelevant {
		n.warnf("target answered %s=%s: the default %s holds", k.name, answer, k.def)
	}
	return nil
}

// acceptsDefault reports whether the default of a key that was offered is acceptable: always,
// except for a list without the default.
func (n *negotiation) acceptsDefault(k *key) bool {
	return k.fn != list || inList(k.offer(n.cfg), k.def)
}

// finish sets the keys that the target did not answer, when full feature phase begins.
func (n *negotiation) finish() error {
	for i := range keys {
		k := &keys[i]
		offer, offered := n.offered[k.name]
		if !offered || n.wasSent(k) || k.fn == declare || k.settled(offer) {
			continue
		}
		if !n.acceptsDefault(k) {
			return n.cfg.Offer.digestError(k, protocolErrorf("6.2", "no answer to %s=%s", k.name, quote(k.offer(n.cfg))))
		}
		if k.stages.has(StageOperational) {
			n.warnf("target did not answer %s: the default %s holds", k.name, k.def)
		}
	}
	if len(n.replies) > 0 {
		n.warnf("target offered %d keys, first %s, in its last response: not answered", len(n.replies), n.replies[0].Key)
	}
	p := &n.res.Params
	if p.FirstBurstLength > p.MaxBurstLength {
		// 13.14 forbids it; sending less than allowed is always correct.
		n.warnf("FirstBurstLength %d cut to MaxBurstLength %d", p.FirstBurstLength, p.MaxBurstLength)
		p.FirstBurstLength = p.MaxBurstLength
	}
	return nil
}

func (n *negotiation) wasSent(k *key) bool {
	_, ok := n.seen[k.name]
	return ok
}

func (n *negotiation) set(k *key, v value) {
	if k.set != nil {
		k.set(n.res, v)
	}
}

func (n *negotiation) warnf(format string, args ...any) {
	n.res.Warnings = append(n.res.Warnings, fmt.Sprintf(format, args...))
}

// reserved reports whether a value can only be an answer (RFC 7143 6.2).
func reserved(v string) bool {
	return v == valueReject || v == valueIrrelevant || v == valueNotUnderstood
}
