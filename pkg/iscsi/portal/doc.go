// Package portal holds, in words, why a target's portal cannot be reached: its name has no address,
// the TCP connection cannot be established, or it redirects too often. The boot and "iscsiroot
// discover" print the same texts.
package portal
