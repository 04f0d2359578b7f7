package session

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// State is what another process needs to log in to a session again: the Record and the
// configuration, secrets included. It is never written to a disk.
type State struct {
	Record
	Group        *uint16 // TPGT to expect; nil: any
	CHAP         *iscsi.CHAP
	HeaderDigest iscsi.DigestPolicy
	DataDigest   iscsi.DigestPolicy
	Timers       Timers
	// NIC is the name or MAC of the interface that connections are bound to, as the boot has
	// it; "": the kernel chooses.
	NIC string
	// Due is set until the kernel has all of Timers.
	Due bool
	// UnscannedLUNs are the LUNs, in the kernel's numbering, that are still to be scanned for,
	// MaxLUNs at most: there is no disk with a size yet. kernel.ScanAll stands for all, of
	// which one is to be found.
	UnscannedLUNs []uint64
	// FormerSID is the id of the kernel's session in whose place this one was made; 0: none.
	// The target may have that one still, and ends it before this one's first login.
	FormerSID uint32
}

// Renewed returns the state for k, which was made in the kernel in the place of the session, and
// the LUNs to scan for after its first login.
func (st State) Renewed(k *kernel.Session, luns []uint64) State {
	st.FormerSID = st.SID
	st.SID, st.HostNo, st.ISID = k.SID, k.HostNo, k.ISID()
	st.Portal, st.Way.Source, st.Params, st.TSIH = netip.AddrPort{}, netip.Addr{}, iscsi.Params{}, 0
	st.Due, st.UnscannedLUNs = true, luns
	return st
}

// State returns the session's state. It shares the secrets with the session.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{
		Record: s.Record, Group: s.group, CHAP: s.chap,
		HeaderDigest: s.offer.HeaderDigest, DataDigest: s.offer.DataDigest,
		Timers: s.timers, NIC: s.nic, Due: s.due, UnscannedLUNs: slices.Clone(s.unscannedLUNs), FormerSID: s.formerSID,
	}
}

// AppendState appends the text of a state: a line for each value, "end" last. It keeps MaxPortals
// portals. A state that ParseStates would refuse is an error, with b as it was.
func AppendState(b []byte, st State) ([]byte, error) {
	st = st.Bounded(MaxPortals)
	if err := st.check(); err != nil {
		return b, fmt.Errorf("state of session %d: %w", st.SID, err)
	}
	b = fmt.Appendf(b, "session %d\nhost %d\ninitiator %q\ntarget %q\n", st.SID, st.HostNo, st.Initiator, st.Target)
	for _, p := range st.Portals {
		b = fmt.Appendf(b, "portal %q\n", p.String())
	}
	if st.Portal.IsValid() {
		b = fmt.Appendf(b, "at %q\n", st.Portal.String())
	}
	b = fmt.Appendf(b, "tpgt %d\n", st.TPGT)
	if st.Way.Device != "" {
		b = fmt.Appendf(b, "device %q\n", st.Way.Device)
	}
	if st.Way.Source.IsValid() {
		b = fmt.Appendf(b, "source %q\n", st.Way.Source.String())
	}
	if st.Group != nil {
		b = fmt.Appendf(b, "group %d\n", *st.Group)
	}
	b = fmt.Appendf(b, "header-digest %d\ndata-digest %d\n", st.HeaderDigest, st.DataDigest)
	b = fmt.Appendf(b, "recovery-tmo %d\nping-interval %d\nping-timeout %d\n", st.Timers.Recovery, st.Timers.PingInterval, st.Timers.PingTimeout)
	if st.Timers.Queue != 0 {
		b = fmt.Appendf(b, "queue %d\n", st.Timers.Queue)
	}
	if st.NIC != "" {
		b = fmt.Appendf(b, "nic %q\n", st.NIC)
	}
	if st.Due {
		b = append(b, "due\n"...)
	}
	for _, lun := range st.UnscannedLUNs {
		b = fmt.Appendf(b, "fresh %d\n", lun)
	}
	if st.FormerSID != 0 {
		b = fmt.Appendf(b, "former %d\n", st.FormerSID)
	}
	if c := st.CHAP; c != nil {
		b = appendHex(fmt.Appendf(b, "user %q\n", c.User), "secret", c.Secret)
		b = appendHex(fmt.Appendf(b, "target-user %q\n", c.TargetUser), "target-secret", c.TargetSecret)
		for _, a := range c.Algorithms {
			b = fmt.Appendf(b, "algorithm %d\n", a)
		}
	}
	return append(b, "end\n"...), nil
}

func appendHex(b []byte, key string, s iscsi.Secret) []byte {
	b = append(append(b, key...), ' ')
	return append(hex.AppendEncode(b, s.Bytes()), '\n')
}

// errState: a state was not written by AppendState. Its content is not shown: it may be a secret.
var errState = errors.New("state of a session is damaged")

// ParseStates reads the states that AppendState has written one after another.
func ParseStates(b []byte) ([]State, error) {
	var out []State
	var open *stateReader
	for n, line := range bytes.Split(b, []byte("\n")) {
		key, value, _ := strings.Cut(string(line), " ")
		switch {
		case key == "" && open == nil:
			continue
		case open == nil && len(out) == MaxStates:
			return nil, fmt.Errorf("line %d: %w: more than %d", n+1, errState, MaxStates)
		case open == nil:
			open = &stateReader{}
		}
		if key == "end" {
			if err := open.check(); err != nil {
				return nil, fmt.Errorf("line %d: %w: %w", n+1, errState, err)
			}
			out, open = append(out, open.st), nil
			continue
		}
		if err := open.line(key, value); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%w: it has no end", errState)
	}
	return out, nil
}

// stateReader collects the lines of one state.
type stateReader struct {
	st   State
	chap iscsi.CHAP
	has  bool // a CHAP value was there
}

func (r *stateReader) check() error {
	if r.has {
		r.st.CHAP = &r.chap
	}
	r.st.ISID = isidOf(r.st.SID)
	return r.st.check()
}

// isidOf is the ISID of a session of the kernel, see kernel.Session.ISID.
func isidOf(sid uint32) [6]byte {
	return [6]byte{0x00, 0x02, 0x3d, byte(sid >> 16), byte(sid >> 8), byte(sid)}
}

// line takes one value in, which is in quotes if it may hold any text, as the zone of an address
// may.
func (r *stateReader) line(key, value string) (err error) {
	st := &r.st
	if strings.HasPrefix(value, `"`) {
		if value, err = strconv.Unquote(value); err != nil {
			return errState
		}
	}
	switch key {
	case "session":
		st.SID, err = parse[uint32](value, 32)
	case "host":
		st.HostNo, err = parse[uint32](value, 32)
	case "initiator":
		st.Initiator = value
	case "target":
		st.Target = value
	case "portal":
		var p netip.AddrPort
		if p, err = netip.ParseAddrPort(value); len(st.Portals) == MaxPortals {
			err = errState
		}
		st.Portals = append(st.Portals, p)
	case "at":
		st.Portal, err = netip.ParseAddrPort(value)
	case "device":
		st.Way.Device = value
	case "source":
		st.Way.Source, err = netip.ParseAddr(value)
	case "tpgt":
		st.TPGT, err = parse[uint16](value, 16)
	case "group":
		st.Group = new(uint16)
		*st.Group, err = parse[uint16](value, 16)
	case "header-digest":
		st.HeaderDigest, err = parse[iscsi.DigestPolicy](value, 8)
	case "data-digest":
		st.DataDigest, err = parse[iscsi.DigestPolicy](value, 8)
	case "due":
		if st.Due = true; value != "" {
			err = errState
		}
	case "fresh":
		var lun uint64
		if lun, err = strconv.ParseUint(value, 10, 64); len(st.UnscannedLUNs) == MaxLUNs {
			err = errState
		}
		st.UnscannedLUNs = append(st.UnscannedLUNs, lun)
	case "former":
		st.FormerSID, err = parse[uint32](value, 32)
	case "recovery-tmo":
		st.Timers.Recovery, err = parse[uint32](value, 31)
	case "ping-interval":
		st.Timers.PingInterval, err = parse[uint32](value, 31)
	case "ping-timeout":
		st.Timers.PingTimeout, err = parse[uint32](value, 31)
	case "queue":
		st.Timers.Queue, err = parse[uint32](value, 31)
	case "nic":
		st.NIC = value
	default:
		err = r.chapLine(key, value)
	}
	if err != nil {
		return errState
	}
	return nil
}

func (r *stateReader) chapLine(key, value string) (err error) {
	r.has = true
	c := &r.chap
	switch key {
	case "user":
		c.User = value
	case "secret":
		c.Secret, err = parseHex(value)
	case "target-user":
		c.TargetUser = value
	case "target-secret":
		c.TargetSecret, err = parseHex(value)
	case "algorithm":
		var a iscsi.Algorithm
		if a, err = parse[iscsi.Algorithm](value, 8); len(c.Algorithms) == maxAlgorithms {
			err = errState
		}
		c.Algorithms = append(c.Algorithms, a)
	default:
		err = errState
	}
	return err
}

func parse[T ~uint8 | ~uint16 | ~uint32](value string, bits int) (T, error) {
	n, err := strconv.ParseUint(value, 10, bits)
	return T(n), err
}

func parseHex(value string) (iscsi.Secret, error) {
	b, err := hex.DecodeString(value)
	return iscsi.NewSecret(b), err
}
