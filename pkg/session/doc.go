// Package session logs in to a target and hands the session to the kernel.
//
// A [Session] is made before the first login and kept whatever goes wrong: each
// try stops its connection and binds a new one to the same session, so that the
// ISID on the wire stays the same. When to try again is the caller's decision;
// the errors tell whether waiting can help.
package session
