// Package session logs in to a target and hands the session to the kernel.
//
// A [Session] is made before the first login and kept whatever goes wrong: each try stops its
// connection and binds a new one to the same session, so that the ISID on the wire stays the same.
// When to try again is the caller's decision; the errors tell whether waiting can help.
//
// A login begins with the security stage, also without CHAP, so that every target that can
// reinstate a session does (RFC 7143 6.3.5): however the old connection was lost, the target is
// left with one session. The connection leaves the machine by a [Way], which is the kernel's choice
// where no other is asked for, and the session knows it afterwards ([Session.Via]).
//
// [Session.Duplicate] finds out whether another machine has the session's initiator name and ISID.
package session
