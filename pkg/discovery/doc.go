// Package discovery runs discovery sessions over TCP (SendTargets; RFC 7143 4.3, appendix C) for
// "iscsiroot discover", with the protocol engine in pkg/iscsi. It builds for every operating
// system.
package discovery
