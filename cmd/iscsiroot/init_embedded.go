//go:build linux && embedinit

package main

import _ "embed"

// embeddedInit is the init program, which the Makefile has put there.
//
//go:embed embedded/init
var embeddedInit []byte

const initDefault = "the one inside this program"
