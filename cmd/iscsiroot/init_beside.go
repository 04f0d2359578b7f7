//go:build linux && !embedinit

package main

// embeddedInit is empty: this program was built without one.
var embeddedInit []byte

const initDefault = "the file init beside this program"
