package rootfs

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lvm"
	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// degradedWait is for how long the members of an array or a volume that can do without them are
// waited for, where their target may still come, or its session is down: mdadm's last resort has
// the same time.
const degradedWait = 30 * time.Second

// lack is what a search lacks and could do without. Its time begins when that is first seen, and
// again when a target logs in: more members may follow.
type lack struct {
	since map[string]time.Time // by the text of what is lacking, which names the members
	up    []int                // the sessions that were logged in
}

// noteLogins ends the search of what lacks members if a target has logged in since the last call.
func (st *Storage) noteLogins() {
	var up []int
	for i := range st.Sessions.List() {
		if st.Sessions.Up(i) {
			up = append(up, i)
		}
	}
	if slices.ContainsFunc(up, func(i int) bool { return !slices.Contains(st.lack.up, i) }) {
		st.degraded, st.lack.since = false, nil
	}
	st.lack.up = up
}

// noteLack notes since when a search lacks members.
func (st *Storage) noteLack(err error) {
	for _, text := range degradables(err) {
		if st.lack.since == nil {
			st.lack.since = map[string]time.Time{}
		}
		if _, ok := st.lack.since[text]; !ok {
			st.lack.since[text] = time.Now()
		}
	}
}

// degradable reports whether a search has failed only because a volume lacks members that it can do
// without, and those are still waited for.
func (st *Storage) degradable(err error) bool { return !st.degraded && len(degradables(err)) > 0 }

// degradedIn returns for how long the members are still waited for; ok: the error is degradable. A
// text that another attempt had does not begin the time again: the searches of one attempt see
// different parts.
func (st *Storage) degradedIn(err error) (left time.Duration, ok bool) {
	if !st.degradable(err) {
		return 0, false
	}
	st.noteLack(err)
	for _, text := range degradables(err) {
		left = max(left, degradedWait-time.Since(st.lack.since[text]))
	}
	return left, true
}

// degradedDue reports whether the members that a search lacks are not waited for any more.
func (st *Storage) degradedDue(err error) bool {
	left, ok := st.degradedIn(err)
	return ok && left == 0
}

// degradables returns the texts of what lacks members that it could do without.
func degradables(err error) (out []string) {
	a := absenceOf(err)
	if a == nil {
		return nil
	}
	for _, cause := range a.causes {
		var volume *lvm.MissingError
		var array *md.MissingError
		if errors.As(cause, &volume) && volume.Degradable || errors.As(cause, &array) && array.Degradable {
			out = append(out, cause.Error())
		}
	}
	return out
}

// seconds rounds up.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
