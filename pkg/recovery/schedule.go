package recovery

import "time"

// redialPause returns how long after one attempt the next begins, by the length of the outage so
// far: half a second in its first minute, a second for ten minutes, then five. random is from [0,
// 1) and varies each by a fifth either way, so that many machines do not log in at the same moment.
//
// The negotiated DefaultTime2Wait is not waited for. It is the time before an explicit or implicit
// logout of a connection, or a task reassignment, may be tried (RFC 7143 13.15, 7.5), so that the
// target can save what a recovery within the session needs. A login with TSIH 0 needs none of that:
// it reinstates the session (6.3.5), which terminates all its tasks, and a target accepts it at any
// time. Where 7.5 is read to cover it, as open-iscsi does, it is a SHOULD NOT: two seconds, the
// default of nearly all targets, would be seven times the outage that a target's restart is now. A
// target that needs a pause requests it in an asynchronous message or a logout response, and gets
// it.
func redialPause(outage time.Duration, random float64) time.Duration {
	pause := 5 * time.Second
	switch {
	case outage < time.Minute:
		pause = 500 * time.Millisecond
	case outage < 11*time.Minute:
		pause = time.Second
	}
	return pause + time.Duration((random-0.5)*0.4*float64(pause))
}

// NextReport returns at which length of an outage the next message is logged: immediately, after 10
// s, after a minute, then every five minutes. last is the length at the last report; negative:
// there was none.
func NextReport(last time.Duration) time.Duration {
	const regular = 5 * time.Minute
	switch {
	case last < 0:
		return 0
	case last < 10*time.Second:
		return 10 * time.Second
	case last < time.Minute:
		return time.Minute
	}
	return (last/regular + 1) * regular
}
