//go:build !embedinit

package main

// packedInit is empty: this program was built without one.
var packedInit []byte

const initDefault = "the file init beside this program"
