// Package discovery asks portals which targets they have (RFC 7143 4.3, appendix C): the host's
// side of the engine in pkg/iscsi, over TCP, as "iscsiroot discover" does it. It builds for every
// operating system.
package discovery
