// Package session logs in to a target and hands the session to the kernel.
//
// A [Session] is made before the first login and kept after every error: each attempt stops its
// connection and binds a new one to the same session, so that the ISID on the wire stays the same.
// The caller decides when to retry; the errors report whether waiting can help.
//
// A login begins with the security stage, also without CHAP, so that every target that can
// reinstate a session does (RFC 7143 6.3.5): however the old connection was lost, the target keeps
// one session. The connection leaves the machine by a [Way], by default the kernel's choice;
// [Session.Via] returns it afterwards.
//
// [Session.Duplicate] reports whether another machine uses the session's initiator name and ISID.
package session
