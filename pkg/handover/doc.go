// Package handover informs the real system, by files below /run, which of its network root depends
// on, so that no network manager takes it down.
//
// Nothing has to be installed in the root for that: each file is one that the manager reads anyway.
// Managers differ in what they do with a link that is configured already: systemd-networkd drops
// addresses that are not in its configuration when it starts, ifupdown takes links down when its
// service is stopped or restarted, NetworkManager adopts its configuration. What was observed of
// each is in the comments of its file.
//
// Files is pure: facts in, files out. Survey reads the names of the root's own configuration, and
// Write writes the files.
package handover
