// Package portal holds, in words, why a target's portal cannot be reached: its name has no address,
// its TCP connection does not come about, or it redirects too often. The boot and "iscsiroot
// discover" tell it in the same texts.
package portal
