package recovery

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Two healers of one session take its connection away from each other. iscsid
// listens to the same multicast group as the agent for as long as it runs;
// iscsiadm opens such a socket too, for a moment.
const (
	ownerSettles = 2 * time.Second // a listener that stays so long is an owner
	ownerGone    = 3 * time.Second // the last one must be gone for so long
)

// netlinkISCSI is the protocol's number (include/uapi/linux/netlink.h:
// NETLINK_ISCSI), iscsidGroup the mask of the group that iscsid joins
// (include/scsi/iscsi_if.h: ISCSI_NL_GRP_ISCSID).
const (
	netlinkISCSI = 8
	iscsidGroup  = 1 << 0
)

// listeners returns the port ids of the sockets that receive the kernel's iSCSI
// events, from the text of /proc/net/netlink (net/netlink/af_netlink.c:
// netlink_native_seq_show), without our own.
func listeners(text string, own uint32) []uint32 {
	var ids []uint32
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Fields(line) // sk Eth Pid Groups ...
		if len(f) < 4 || f[1] != strconv.Itoa(netlinkISCSI) {
			continue
		}
		id, err := strconv.ParseUint(f[2], 10, 32)
		groups, gerr := strconv.ParseUint(f[3], 16, 32)
		if err == nil && gerr == nil && groups&iscsidGroup != 0 && uint32(id) != own && id != 0 {
			ids = append(ids, uint32(id))
		}
	}
	return ids
}

// ownership follows which program looks after the sessions. Times are on a monotonic
// clock.
type ownership struct {
	since map[uint32]time.Duration // when each listener was first seen
	other bool                     // another program does
	alone time.Duration            // since when no other socket is there
	said  string                   // why it is not known, as logged last
}

// blind takes in why the sockets cannot be seen; nil: they can. All stays as it
// was: what is not seen does not make the sessions ours.
func (o *ownership) blind(err error, log Logger) {
	switch {
	case err == nil:
		o.said = ""
	case o.said != err.Error():
		o.said = err.Error()
		log.Warnf("agent: look for iscsid: %v", err)
	}
}

// observe takes in which sockets there are now. changed tells that the owner is another
// than before.
func (o *ownership) observe(now time.Duration, ids []uint32) (changed bool) {
	if o.since == nil {
		o.since = map[uint32]time.Duration{}
	}
	for id := range o.since {
		if !slices.Contains(ids, id) {
			delete(o.since, id)
		}
	}
	stays := false
	for _, id := range ids {
		if _, seen := o.since[id]; !seen {
			o.since[id] = now
		}
		stays = stays || now-o.since[id] >= ownerSettles
	}
	if len(ids) > 0 {
		o.alone = -1
	} else if o.alone < 0 {
		o.alone = now
	}
	was := o.other
	switch {
	case stays:
		o.other = true
	case o.other && len(ids) == 0 && now-o.alone >= ownerGone:
		o.other = false
	}
	return o.other != was
}

// pending tells that there is another socket, or was until a moment ago, and that
// time must show which program is the owner: nothing may be touched meanwhile.
func (o *ownership) pending() bool { return o.other || len(o.since) > 0 }

// claim notes that another program logged a session in, which is the owner then.
func (o *ownership) claim(now time.Duration) {
	o.other = true
	if len(o.since) == 0 {
		o.alone = now
	}
}
