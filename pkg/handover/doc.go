// Package handover tells the real system, by files below /run, which of its
// network carries root, so that no network manager takes it down.
//
// Nothing has to be installed in the root for that: each file is one that the
// manager reads anyway. Managers disagree about what they do with a link that
// is configured already: systemd-networkd drops addresses it does not know as
// it starts, ifupdown takes links down when its service is stopped or
// restarted, NetworkManager adopts what it finds. What was seen of each is in
// the comments beside its file.
//
// Files is pure: facts in, files out. Survey reads the names of the root's own
// configuration, and Write writes the files.
package handover
