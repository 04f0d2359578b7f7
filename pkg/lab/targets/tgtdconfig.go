package targets

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// tgtadmArgs are the words of one tgtadm command.
type tgtadmArgs []string

func tgtadm(op, mode string, more ...string) tgtadmArgs {
	return append(tgtadmArgs{"--op", op, "--mode", mode}, more...)
}

// withTid names the daemon's only target, and then more.
func withTid(more ...string) []string {
	return append([]string{"--tid", strconv.Itoa(tgtdTarget)}, more...)
}

// configure makes the target in a daemon that runs. Binding it to initiators comes last: before
// that, no login is accepted.
func (t *Tgtd) configure(ctx context.Context) error {
	var steps []tgtadmArgs
	steps = append(steps, tgtadm("new", "target", withTid("-T", t.config.Name)...))
	steps = append(steps, t.unitSteps()...)
	steps = append(steps, t.accountSteps()...)
	steps = append(steps, t.keySteps()...)
	steps = append(steps, t.bindSteps()...)
	for _, args := range steps {
		if _, err := t.Admin(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// AddLUN adds a LUN to a target that runs.
func (t *Tgtd) AddLUN(ctx context.Context, lun int, image string) error {
	for _, args := range t.unitStep(lun, image) {
		if _, err := t.Admin(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tgtd) unitSteps() (steps []tgtadmArgs) {
	for lun, image := range t.config.LUNs {
		steps = append(steps, t.unitStep(lun, image)...)
	}
	return steps
}

func (t *Tgtd) unitStep(lun int, image string) []tgtadmArgs {
	unit := withTid("--lun", strconv.Itoa(lun))
	id := fmt.Sprintf("lab%05d%05d", t.config.Portal.Port(), lun)
	return []tgtadmArgs{
		tgtadm("new", "logicalunit", append(slices.Clip(unit), "-b", image)...),
		tgtadm("update", "logicalunit", append(slices.Clip(unit), "--params", "scsi_id="+id+",scsi_sn="+id)...),
	}
}

// accountSteps makes the accounts. A binding without a target is the one for discovery. Two
// accounts of the same name would be one to tgtd.
func (t *Tgtd) accountSteps() (steps []tgtadmArgs) {
	made := map[string]bool{}
	add := func(user, secret string, bind ...string) {
		if user == "" {
			return
		}
		if !made[user] {
			steps = append(steps, tgtadm("new", "account", "--user", user, "--password", secret))
		}
		made[user] = true
		steps = append(steps, tgtadm("bind", "account", append(bind, "--user", user)...))
	}
	add(t.config.CHAP.User, t.config.CHAP.Secret, withTid()...)
	add(t.config.CHAP.MutualUser, t.config.CHAP.MutualSecret, withTid("--outgoing")...)
	add(t.config.DiscoveryCHAP.User, t.config.DiscoveryCHAP.Secret)
	add(t.config.DiscoveryCHAP.MutualUser, t.config.DiscoveryCHAP.MutualSecret, "--outgoing")
	return steps
}

// keySteps sets the keys that the target declares and negotiates, and its redirect.
func (t *Tgtd) keySteps() (steps []tgtadmArgs) {
	set := func(name, value string) {
		if value != "" {
			steps = append(steps, tgtadm("update", "target", withTid("-n", name, "-v", value)...))
		}
	}
	set("HeaderDigest", t.config.HeaderDigest)
	set("DataDigest", t.config.DataDigest)
	if n := t.config.MaxRecvDataSegmentLength; n != 0 {
		set("MaxRecvDataSegmentLength", strconv.Itoa(n))
	}
	if r := t.config.Redirect; r != nil {
		reason := "Temporary"
		if r.Permanent {
			reason = "Permanent"
		}
		address, port, _ := net.SplitHostPort(r.To.String())
		if r.To.Addr().Is6() {
			address = "[" + address + "]" // tgtd puts the port behind it as it is
		}
		set("RedirectAddress", address)
		set("RedirectPort", port)
		set("RedirectReason", reason)
	}
	return steps
}

func (t *Tgtd) bindSteps() (steps []tgtadmArgs) {
	for _, name := range t.config.Initiators {
		steps = append(steps, tgtadm("bind", "target", withTid("-Q", name)...))
	}
	if len(t.config.Initiators) == 0 {
		steps = append(steps, tgtadm("bind", "target", withTid("-I", "ALL")...))
	}
	return steps
}

// portalList is the argument of tgtd's --iscsi.
func portalList(portals []netip.AddrPort) string {
	words := make([]string, len(portals))
	for i, p := range portals {
		words[i] = "portal=" + p.String()
	}
	return strings.Join(words, ",")
}
